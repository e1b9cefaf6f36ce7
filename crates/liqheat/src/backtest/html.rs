//! The report as one page: the same tables, and pictures as inline SVG, so that nothing else has to be loaded.

use std::fmt::Write as _;

use liqheat_market::convert::approx_f64;
use liqheat_score::ConfidenceInterval;

use super::Report;
use super::text::{Picture, figure, length, sections};

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
div{overflow-x:auto}table{border-collapse:collapse}td,th{padding:.2rem .8rem;border-bottom:1px solid #d8dce1;text-align:right;font-variant-numeric:tabular-nums}\
td:first-child,th:first-child{text-align:left}p{color:#59636e;margin:.4rem 0}figure{margin:1rem 0}figcaption{color:#59636e}\
text{font:12px system-ui,sans-serif;fill:currentColor}\
@media(prefers-color-scheme:dark){body{color:#e6e8eb;background:#14171a}td,th{border-color:#343a41}p,figcaption{color:#9aa4af}}";

pub(super) fn html(report: &Report) -> String {
    let mut page = String::new();
    let title = format!("Score card of {}", escape(&report.symbol));
    // Writing into a string cannot fail.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>"
    );
    page.push_str(&headline(report));
    for section in sections(report) {
        let _ = write!(page, "<h2>{}</h2>", escape(&section.title));
        if !section.rows.is_empty() {
            page.push_str("<div><table>");
            row(&mut page, "th", &section.header);
            section.rows.iter().for_each(|cells| row(&mut page, "td", cells));
            page.push_str("</table></div>");
        }
        for note in &section.notes {
            let _ = write!(page, "<p>{}</p>", escape(note));
        }
        if section.picture == Picture::ByClass {
            page.push_str(&by_class(report));
        }
    }
    page.push_str("</body></html>\n");
    page
}

fn row(page: &mut String, tag: &str, cells: &[String]) {
    if cells.is_empty() {
        return;
    }
    page.push_str("<tr>");
    for cell in cells {
        let _ = write!(page, "<{tag}>{}</{tag}>", escape(cell));
    }
    page.push_str("</tr>");
}

/// The headline of every predictor, by length of window.
fn headline(report: &Report) -> String {
    let mut marks = Vec::new();
    for horizon in &report.card.given_touch {
        for score in horizon.given_touch.scores.iter().filter(|score| score.in_hour_partial.is_some()) {
            let name = format!("{}  {}", length(horizon.window_ms), score.predictor.title());
            marks.push(Mark { name, value: score.in_hour_partial, interval: score.in_hour_partial_interval });
        }
    }
    picture(
        &marks,
        "Rank correlation with USD liquidated beyond distance, inside each window and side, with 95 % intervals over days",
    )
}

fn by_class(report: &Report) -> String {
    let mark = |class: &liqheat_score::LeverageSkill| Mark {
        name: format!("{}x", class.leverage),
        value: class.in_hour_partial,
        interval: class.interval,
    };
    let marks: Vec<Mark> = report.card.leverage.iter().map(mark).collect();
    picture(
        &marks,
        "The same for each leverage class alone; an interval that holds zero means not identified",
    )
}

/// A value with its interval.
struct Mark {
    name: String,
    value: Option<f64>,
    interval: Option<ConfidenceInterval>,
}

/// Values as dots on a line each, with intervals as bars and zero as a vertical line.
fn picture(marks: &[Mark], caption: &str) -> String {
    const WIDTH: f64 = 720.0;
    const LEFT: f64 = 340.0;
    const ROW: f64 = 22.0;
    let ends = marks.iter().flat_map(|mark| {
        let interval = mark.interval.map(|interval| [interval.low, interval.high]);
        mark.value.into_iter().chain(interval.into_iter().flatten())
    });
    let (low, high) = ends.fold((0.0_f64, 0.05_f64), |(low, high), end| (low.min(end), high.max(end)));
    let x = |value: f64| LEFT + (value - low) / (high - low) * (WIDTH - LEFT - 60.0);
    let height = ROW * approx_f64(marks.len()) + 24.0;
    let mut svg = format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" style=\"max-width:100%\" role=\"img\" aria-label=\"{}\">\
         <line x1=\"{zero:.1}\" x2=\"{zero:.1}\" y1=\"4\" y2=\"{:.1}\" stroke=\"currentColor\" stroke-opacity=\".5\"/>\
         <text x=\"{zero:.1}\" y=\"{:.1}\" text-anchor=\"middle\">0</text>",
        escape(caption),
        height - 18.0,
        height - 4.0,
        zero = x(0.0),
    );
    for (index, mark) in marks.iter().enumerate() {
        let y = ROW * (approx_f64(index) + 0.5) + 6.0;
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 40.0,
            y + 4.0,
            escape(&mark.name)
        );
        if let Some(interval) = mark.interval {
            let _ = write!(
                svg,
                "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#2f81f7\" stroke-width=\"5\" stroke-opacity=\".4\"/>",
                x(interval.low),
                x(interval.high)
            );
        }
        if let Some(value) = mark.value {
            let end = mark.interval.map_or(value, |interval| interval.high);
            let _ = write!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"#2f81f7\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x(value),
                x(end) + 8.0,
                y + 4.0,
                figure(Some(value))
            );
        }
    }
    let _ = write!(svg, "</svg><figcaption>{}</figcaption></figure>", escape(caption));
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
