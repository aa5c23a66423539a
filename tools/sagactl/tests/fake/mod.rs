//! A service that answers what a test says, and the program against it. Separate, so that tests of several files start both
//! in the same way.

use std::process::{Command, Output};

use axum::Router;

/// Serves these routes until the test ends; where.
pub(crate) fn serve(routes: Router) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, routes).await.unwrap();
        });
    });
    url
}

/// Runs the program: exit code, output, errors.
pub(crate) fn sagactl(url: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
    command
        .env_clear()
        .env("ORCHESTRATOR_URL", url)
        .env("ORDER_URL", url)
        .env("ADMIN_TOKEN", "the token")
        .stdin(std::process::Stdio::null())
        .args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}
