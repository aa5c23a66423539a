//! Apache Kafka in KRaft mode: each broker is a controller too.
//!
//! Separate, because its settings are a deliberate choice, each with its why.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use super::Stack;
use super::component::Component;
use super::memory::random;
use super::process::Launch;
use super::services::Profile;
use crate::progress::Task;
use crate::{artifacts, java};

/// Formats the broker's storage where it is new, writes its settings, and says how to start it.
///
/// # Errors
/// When Java or the archives are not to be had, or the storage cannot be formatted.
pub(super) fn launch(stack: &Stack, node: u16, task: &Task) -> Result<Launch> {
    let java = java::find(task)?;
    let jars = artifacts::KAFKA.fetch(task)?;
    let home = stack.layout().data(&Component::Kafka(node).to_string());
    fs::create_dir_all(&home)?;
    let settings = home.join("server.properties");
    fs::write(&settings, properties(stack, node, &home)?)?;
    fs::write(home.join("log4j2.properties"), LOGGING)?;
    let run = |main: &str| {
        let mut class_path = OsString::from(&jars);
        class_path.push("/*");
        let sized = match stack.profile() {
            // Without the second compiler it starts in half the time and serves more slowly: wrong for measuring. A small
            // heap: Kafka's memory is the machine's page cache.
            Profile::Dev => ["-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
            // As its own start script has it.
            Profile::Release => ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"],
        };
        Launch::new(&java, &home)
            .args(sized)
            .arg("-XX:+ExitOnOutOfMemoryError")
            .arg(format!("-Dlog4j2.configurationFile={}", home.join("log4j2.properties").display()))
            .arg("-cp")
            .arg(class_path)
            .arg(main)
    };
    if !home.join("log/meta.properties").is_file() {
        task.step("formatting the storage");
        let format = run("kafka.tools.StorageTool").args(["format", "-t", &cluster_id(stack)?, "-c"]).arg(&settings);
        let output = format.command().output()?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("could not format the storage: {}", String::from_utf8_lossy(&said).trim());
        }
    }
    Ok(run("kafka.Kafka").arg(&settings))
}

/// All brokers, as clients want to know them.
pub(super) fn bootstrap(stack: &Stack) -> Result<String> {
    let ports: Result<Vec<_>> =
        (1..=stack.brokers()).map(|node| stack.port(&Component::Kafka(node).to_string())).collect();
    Ok(ports?.iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(","))
}

/// The name of the port on which a broker's controller listens.
pub(super) fn controller_port(node: u16) -> String {
    format!("kafka#{node} controller")
}

fn properties(stack: &Stack, node: u16, home: &Path) -> Result<String> {
    let brokers = stack.brokers();
    let port = stack.port(&Component::Kafka(node).to_string())?;
    let controller = stack.port(&controller_port(node))?;
    let mut voters = Vec::new();
    for voter in 1..=brokers {
        voters.push(format!("{voter}@127.0.0.1:{}", stack.port(&controller_port(voter))?));
    }
    let voters = voters.join(",");
    let (copies, in_sync) = if brokers == 1 { (1, 1) } else { (3, 2) };
    let partitions = stack.partitions();
    let log = home.join("log");
    let log = log.display();
    Ok(format!(
        "process.roles=broker,controller\n\
         node.id={node}\n\
         controller.quorum.voters={voters}\n\
         controller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=PLAINTEXT\n\
         log.dirs={log}\n\
         # Copies as many as there are brokers for.\n\
         default.replication.factor={copies}\n\
         min.insync.replicas={in_sync}\n\
         offsets.topic.replication.factor={copies}\n\
         transaction.state.log.replication.factor={copies}\n\
         transaction.state.log.min.isr={in_sync}\n\
         share.coordinator.state.topic.replication.factor={copies}\n\
         share.coordinator.state.topic.min.isr={in_sync}\n\
         # Fifty partitions each would only cost files here.\n\
         offsets.topic.num.partitions=8\n\
         transaction.state.log.num.partitions=8\n\
         share.coordinator.state.topic.num.partitions=8\n\
         num.partitions={partitions}\n\
         # A misspelt topic is an error, not a new topic.\n\
         auto.create.topics.enable=false\n\
         # The first member of a group need not wait for others.\n\
         group.initial.rebalance.delay.ms=0\n\
         # Groups of KIP-848 have their times from the broker, which means by itself 45 s and 5 s, and allows no less.\n\
         group.consumer.min.session.timeout.ms=6000\n\
         group.consumer.session.timeout.ms=6000\n\
         group.consumer.min.heartbeat.interval.ms=1000\n\
         group.consumer.heartbeat.interval.ms=1000\n"
    ))
}

/// Kafka wants sixteen bytes in URL-safe base64; letters and digits alone are safe on its command line.
fn cluster_id(stack: &Stack) -> Result<String> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    stack.memory.change(|facts| {
        if facts.cluster.is_empty() {
            facts.cluster = random::<21>()?.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 62)])).collect();
            // Sixteen bytes are 21 characters and 2 bits: the last character can only be one of four.
            facts.cluster.push('A');
        }
        Ok(facts.cluster.clone())
    })
}

const LOGGING: &str = "\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %m (%c{1})%n%throwable
";
