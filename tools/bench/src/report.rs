//! The figures as a page: tables and bars, nothing to load from elsewhere. Separate from measuring: it reads the same JSON
//! that is kept beside it.

use maud::{DOCTYPE, Markup, html};
use serde_json::{Map, Value};

/// Width of the widest bar, pixels.
const WIDEST: f64 = 520.0;
const COLOURS: [&str; 8] = ["#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5"];

/// The page.
pub(crate) fn page(result: &Value) -> String {
    let windows = result["windows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "Backstitch: sagas a second" }
                style { (STYLE) }
            }
            body {
                h1 { "Sagas through five services" }
                p { (text(&result["machine"])) ", " (text(&result["at"])) ". Windows of " (text(&result["seconds"])) " s." }
                (throughput(windows))
                (latency(windows))
                (cpu(windows))
                (work(windows))
                (memory(windows))
            }
        }
    };
    page.into_string()
}

fn throughput(windows: &[Value]) -> Markup {
    let most = windows.iter().filter_map(|window| window["sagas_per_second"].as_f64()).fold(1.0, f64::max);
    html! {
        h2 { "Sagas ended a second" }
        table {
            tr { th { "load" } th { "sagas/s" } th { "completed" } th { "rolled back" } th { "stuck" } th {} }
            @for window in windows {
                tr {
                    td { (text(&window["window"])) }
                    td.n { (text(&window["sagas_per_second"])) }
                    td.n { (text(&window["completed_per_second"])) }
                    td.n { (text(&window["rolled_back_per_second"])) }
                    td.n { (text(&window["stuck"])) }
                    td { (bars(&[(COLOURS[0], window["sagas_per_second"].as_f64().unwrap_or(0.0))], most)) }
                }
            }
        }
    }
}

fn latency(windows: &[Value]) -> Markup {
    let marks = ["p50", "p95", "p99", "max"];
    let of = |window: &Value, mark: &str| window["start_to_end_ms"][mark].as_f64().unwrap_or(0.0);
    html! {
        h2 { "Start to end, ms" }
        table {
            tr { th { "load" } @for mark in marks { th { (mark) } } th { "p50, p99" } }
            @for window in windows {
                @let longest = of(window, "p99").max(1.0);
                tr {
                    td { (text(&window["window"])) }
                    @for mark in marks { td.n { (of(window, mark)) } }
                    td { (bars(&[(COLOURS[0], of(window, "p50")), (COLOURS[7], longest - of(window, "p50"))], longest)) }
                }
            }
        }
    }
}

fn cpu(windows: &[Value]) -> Markup {
    let most = windows.iter().filter_map(|window| window["cpu_ms_per_saga_all"].as_f64()).fold(0.001, f64::max);
    let names = names(windows, "cpu_ms_per_saga");
    let shown: Vec<&String> = names.iter().filter(|name| !["load", "others"].contains(&name.as_str())).collect();
    let colour = |index: usize| COLOURS[index % COLOURS.len()];
    html! {
        h2 { "CPU per saga, ms" }
        p { "The bar holds all but the load itself. “others” is what the rest of the machine used meanwhile, in cores: a noisy run shows itself." }
        table {
            tr {
                th { "load" } th { "all" }
                @for (index, name) in shown.iter().enumerate() { th style={ "color:" (colour(index)) } { (name) } }
                th { "load itself" } th { "others, cores" } th {}
            }
            @for window in windows {
                @let spent = &window["cpu_ms_per_saga"];
                tr {
                    td { (text(&window["window"])) }
                    td.n { (text(&window["cpu_ms_per_saga_all"])) }
                    @for name in &shown { td.n { (text(&spent[name.as_str()])) } }
                    td.n { (text(&spent["load"])) }
                    td.n { (text(&window["others_cores"])) }
                    td {
                        (bars(&shown.iter().enumerate().map(|(index, name)| {
                            (colour(index), spent[name.as_str()].as_f64().unwrap_or(0.0))
                        }).collect::<Vec<_>>(), most))
                    }
                }
            }
        }
    }
}

fn work(windows: &[Value]) -> Markup {
    html! {
        h2 { "Work per saga" }
        (table_of(windows, "per_saga"))
        h2 { "Messages per batch" }
        (table_of(windows, "messages_per_batch"))
    }
}

fn memory(windows: &[Value]) -> Markup {
    html! {
        h2 { "Resident memory, MiB" }
        (table_of(windows, "memory_mib"))
    }
}

fn table_of(windows: &[Value], field: &str) -> Markup {
    let names = names(windows, field);
    html! {
        table {
            tr { th { "load" } @for name in &names { th { (name) } } }
            @for window in windows {
                tr {
                    td { (text(&window["window"])) }
                    @for name in &names { td.n { (text(&window[field][name.as_str()])) } }
                }
            }
        }
    }
}

fn names(windows: &[Value], field: &str) -> Vec<String> {
    let first = windows.first().and_then(|window| window[field].as_object());
    first.map(|values: &Map<String, Value>| values.keys().cloned().collect()).unwrap_or_default()
}

/// Parts beside each other; the whole of `most` is as wide as can be.
fn bars(parts: &[(&str, f64)], most: f64) -> Markup {
    let width = |value: f64| value / most * WIDEST;
    let begins = parts.iter().scan(0.0, |from, (_, value)| {
        let at = *from;
        *from += width(*value);
        Some(at)
    });
    html! {
        svg width=(WIDEST) height="14" role="img" {
            @for (from, (colour, value)) in begins.zip(parts) {
                rect x=(format!("{from:.1}")) y="1" height="12" width=(format!("{:.1}", width(*value))) fill=(colour) {}
            }
        }
    }
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}

pub(crate) const STYLE: &str =
    "body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 600; }
td, th { padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: middle; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }";
