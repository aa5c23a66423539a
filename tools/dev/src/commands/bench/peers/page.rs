//! The comparison as a page: a table and bars for each load, nothing to load from elsewhere. Separate from the figures, which
//! are kept beside it.

use std::fmt::Write as _;

use serde_json::Value;

use super::OURS;
use super::summary::{Median, shown};

/// Width of the widest bar, pixels.
const WIDEST: f64 = 360.0;

/// The page.
pub(super) fn of(medians: &[Median], figures: &Value) -> String {
    let machine = figures["machine"].as_str().unwrap_or("");
    let (rounds, seconds) = (&figures["rounds"], &figures["seconds"]);
    let mut text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Backstitch beside others</title><style>{STYLE}\
         </style></head><body><h1>The order saga, beside others</h1><p>{machine}. Medians of {rounds} rounds, windows of \
         {seconds} s, everybody in turn. “Others” is what the rest of the machine used meanwhile, in cores, in the noisiest \
         round.</p>"
    );
    let mut load = "";
    for median in medians {
        if median.window != load {
            text.push_str(if load.is_empty() { "" } else { "</table>" });
            load = &median.window;
            let _ = write!(text, "<h2>{load}</h2><table>{HEAD}");
        }
        let most = medians.iter().filter(|it| it.window == load).map(|it| it.sagas_per_second).fold(0.001, f64::max);
        text.push_str(&row(median, most));
    }
    text.push_str("</table></body></html>\n");
    text
}

fn row(median: &Median, most: f64) -> String {
    let colour = if median.peer == OURS { "#4269d0" } else { "#97bbf5" };
    let cells = [
        format!("{:.1}", median.sagas_per_second),
        shown(median.rate_ratio, 2, "×"),
        shown(median.p50_ms, 0, ""),
        shown(median.p50_ratio, 2, "×"),
        shown(median.p99_ms, 0, ""),
        shown(median.p99_ratio, 2, "×"),
        format!("{:.2}", median.cpu_ms_per_saga),
        shown(median.cpu_ratio, 2, "×"),
        format!("{:.2}", median.others_cores_most),
        median.failed.to_string(),
    ];
    let cells = cells.map(|cell| format!("<td class=\"n\">{cell}</td>")).concat();
    let width = median.sagas_per_second / most * WIDEST;
    let at = median.at.as_ref().map_or_else(String::new, |at| format!(", {at}"));
    format!(
        "<tr><td>{}{at}</td>{cells}<td><svg width=\"{WIDEST}\" height=\"14\" role=\"img\"><rect y=\"1\" height=\"12\" \
         width=\"{width:.1}\" fill=\"{colour}\"/></svg></td></tr>",
        median.peer
    )
}

const HEAD: &str = "<tr><th></th><th>sagas/s</th><th>by ours</th><th>p50, ms</th><th>by ours</th>\
                    <th>p99, ms</th><th>by ours</th><th>CPU a saga, ms</th>\
                    <th>by ours</th><th>others, cores</th><th>failed</th><th></th></tr>";
const STYLE: &str = "body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; } \
                     table { border-collapse: collapse; } th { text-align: left; font-weight: 600; } \
                     td, th { padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #ddd; } \
                     td.n { text-align: right; font-variant-numeric: tabular-nums; }";
