//! The table, in Markdown.

use std::fmt::Write;

use cases::Group;

use crate::measure::{Measured, Results};
use crate::options::{Clock, Options};
use crate::statistics::Summary;
use crate::units::{throughput, time, times};
use crate::{EXTISM, LIBEXTISM, MEMCPY, VITRINE};

/// All of it.
pub fn table(results: &Results, options: &Options) -> String {
    let mut out = String::new();
    let (clock, other, beside) = match results.clock {
        Clock::Wall => (
            "Times on the wall",
            Clock::Processor,
            "processor: Vitrine | Extism",
        ),
        Clock::Processor => (
            "Processor times",
            Clock::Wall,
            "on the wall: Vitrine | Extism",
        ),
    };
    for (name, host) in ["Vitrine", "Extism", "libextism"]
        .iter()
        .zip(&results.hosts)
    {
        let says = host.as_deref().unwrap_or("not here");
        let _ = writeln!(out, "{name}: {says}.  ");
    }
    let _ = writeln!(
        out,
        "{clock} on {}, {} processors; the median of {} samples of {} ms each, half of what is \
         between the quartiles after ±.\n",
        processor(),
        std::thread::available_parallelism().map_or(1, |n| n.get()),
        options.rounds,
        options.sample.as_millis()
    );
    for (group, title) in [
        (Group::Throughput, "Throughput"),
        (Group::Calls, "Calls"),
        (Group::Life, "Making and dropping plugins"),
    ] {
        let rows = || results.measured.iter().filter(|m| m.case.group == group);
        if rows().next().is_none() {
            continue;
        }
        let last = match group {
            Group::Throughput => "Vitrine | of the limit",
            _ => beside,
        };
        let _ = writeln!(
            out,
            "### {title}\n\n\
             | case | Vitrine | Extism | as fast | wanted | libextism | as fast | {last} |\n\
             |---|---|---|---|---|---|---|---|---|"
        );
        for measured in rows() {
            row(&mut out, measured, group, other);
        }
        out.push('\n');
    }
    out
}

fn row(out: &mut String, measured: &Measured, group: Group, other: Clock) {
    let time_of = |host| measured.time(host).map_or_else(none, with_spread);
    let speed = |other| measured.speed(VITRINE, other).map_or_else(none, times);
    let last = match group {
        Group::Throughput => [moved(measured), limit(measured)],
        _ => [VITRINE, EXTISM]
            .map(|host| measured.time_by(other, host))
            .map(|found| found.map_or_else(none, |found| time(found.median))),
    };
    let cells = [
        measured.case.name.clone(),
        time_of(VITRINE),
        time_of(EXTISM),
        speed(EXTISM),
        wanted(measured),
        time_of(LIBEXTISM),
        speed(LIBEXTISM),
        last.join(" | "),
    ];
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn none() -> String {
    "–".into()
}

fn with_spread(summary: Summary) -> String {
    let spread = (100.0 * summary.spread()).round();
    format!("{} ±{spread} %", time(summary.median))
}

/// The bound, and whether it is kept.
fn wanted(measured: &Measured) -> String {
    let Some(bound) = measured.case.bound else {
        return none();
    };
    let verdict = match measured.speed(VITRINE, EXTISM) {
        Some(speed) if speed >= bound => "",
        Some(_) => ", missed",
        None => ", not measured",
    };
    format!("{bound} ×{verdict}")
}

fn moved(measured: &Measured) -> String {
    measured
        .time(VITRINE)
        .map_or_else(none, |time| throughput(measured.case.payload, time.median))
}

/// How near it comes to copying each byte as often as it must be, and doing nothing else.
fn limit(measured: &Measured) -> String {
    let (Some(speed), moves) = (measured.speed(VITRINE, MEMCPY), measured.case.moves) else {
        return none();
    };
    format!(
        "{:.0} % of {moves} copies",
        100.0 * speed * f64::from(moves)
    )
}

/// The model, where Linux tells it.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split(": ").nth(1));
    model.unwrap_or(std::env::consts::ARCH).to_owned()
}
