//! The plots.

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::SegmentValue;
use plotters::prelude::*;

use crate::measure::{Measured, Results};
use crate::options::Clock;
use crate::{EXTISM, LIBEXTISM, MEMCPY, VITRINE};

const BLUE: RGBColor = RGBColor(46, 94, 170);
const ORANGE: RGBColor = RGBColor(214, 126, 44);
const GREY: RGBColor = RGBColor(150, 150, 150);
const INK: RGBColor = RGBColor(40, 40, 40);

/// Bars that begin on the left, one row for each case, on a logarithmic axis.
struct Chart<'a> {
    title: &'a str,
    axis: &'a str,
    series: &'a [(&'a str, RGBColor)],
    /// The meaning of a small line in a row.
    mark: &'a str,
    rows: Vec<Row>,
    /// The position at which bars begin.
    origin: f64,
    range: Range<f64>,
}

struct Row {
    name: String,
    /// One for each of the series.
    bars: Vec<Option<f64>>,
    mark: Option<f64>,
}

/// How many times as fast as the `extism` crate.
pub fn speed(results: &Results, path: &Path) -> Result<()> {
    let row = |measured: &Measured| Row {
        name: measured.case.name.clone(),
        bars: vec![
            measured.speed(VITRINE, EXTISM),
            measured.speed(LIBEXTISM, EXTISM),
        ],
        mark: measured.case.bound,
    };
    Chart {
        title: "Speed, as a multiple of the extism crate's",
        axis: &format!("times as fast, by {}", clock(results)),
        series: &[("Vitrine", BLUE), ("libextism", GREY)],
        mark: "wanted",
        rows: results.measured.iter().map(row).collect(),
        origin: 1.0,
        range: 0.1..10_000.0,
    }
    .draw(path)
}

/// Gigabytes a second, beside what copying alone would allow.
pub fn throughput(results: &Results, path: &Path) -> Result<()> {
    let row = |measured: &Measured| {
        let payload = measured.case.payload as f64;
        let rate = |host| Some(payload / measured.time(host)?.median);
        Row {
            name: measured.case.name.clone(),
            bars: vec![rate(VITRINE), rate(EXTISM), rate(LIBEXTISM)],
            mark: rate(MEMCPY).map(|rate| rate / f64::from(measured.case.moves)),
        }
    };
    let moving = results.measured.iter().filter(|m| m.case.moves > 0);
    Chart {
        title: "Throughput",
        axis: &format!("GB/s, by {}", clock(results)),
        series: &[
            ("Vitrine", BLUE),
            ("extism, the crate", ORANGE),
            ("libextism", GREY),
        ],
        mark: "memcpy, as often as each byte is moved",
        rows: moving.map(row).collect(),
        origin: 0.01,
        range: 0.01..100.0,
    }
    .draw(path)
}

fn clock(results: &Results) -> &'static str {
    match results.clock {
        Clock::Wall => "the clock on the wall",
        Clock::Processor => "processor time",
    }
}

const BAR: u32 = 9;
const GAP: u32 = 8;
const TITLE: u32 = 60;
const AXIS: u32 = 45;

impl Chart<'_> {
    fn draw(&self, path: &Path) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (rows, series) = (self.rows.len(), self.series.len() as u32);
        let height = rows as u32 * (BAR * series + GAP) + TITLE + AXIS;
        let area = SVGBackend::new(path, (900, height)).into_drawing_area();
        self.draw_on(&area, rows, series)
            .and_then(|()| area.present())
            .map_err(|error| anyhow!("cannot write {}: {error}", path.display()))
    }

    fn draw_on<'b>(
        &self,
        area: &DrawingArea<SVGBackend<'b>, plotters::coord::Shift>,
        rows: usize,
        series: u32,
    ) -> std::result::Result<(), DrawingAreaErrorKind<<SVGBackend<'b> as DrawingBackend>::ErrorType>>
    {
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(area)
            .margin_right(20)
            .margin_bottom(5)
            .caption(self.title, ("sans-serif", 20).into_font().color(&INK))
            .y_label_area_size(230)
            .x_label_area_size(AXIS - 5)
            .build_cartesian_2d(
                self.range.clone().log_scale(),
                (0..rows - 1).into_segmented(),
            )?;
        // The first row is on top.
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(at) => self.rows.get(rows - 1 - at).map(|row| row.name.clone()),
            _ => None,
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .axis_style(INK)
            .label_style(("sans-serif", 12).into_font().color(&INK))
            .y_labels(rows)
            .y_label_formatter(&|at| name(at).unwrap_or_default())
            .x_label_formatter(&|x| x.to_string())
            .x_desc(self.axis)
            .draw()?;
        for (at, (label, color)) in (0..series).zip(self.series) {
            let bars = self.rows.iter().enumerate().filter_map(|(row, found)| {
                let value = (*found.bars.get(at as usize)?)?;
                let row = rows - 1 - row;
                let mut bar = Rectangle::new(
                    [
                        (self.origin, SegmentValue::Exact(row)),
                        (value, SegmentValue::Exact(row + 1)),
                    ],
                    color.filled(),
                );
                let below = BAR * (series - 1 - at) + GAP / 2;
                bar.set_margin(BAR * at + GAP / 2, below, 0, 0);
                Some(bar)
            });
            let color = *color;
            chart
                .draw_series(bars)?
                .label(*label)
                .legend(move |(x, y)| {
                    Rectangle::new([(x, y - 4), (x + 12, y + 4)], color.filled())
                });
        }
        let marks = self.rows.iter().enumerate().filter_map(|(row, found)| {
            let (value, row) = (found.mark?, rows - 1 - row);
            let ends = [SegmentValue::Exact(row), SegmentValue::Exact(row + 1)];
            let line = ends.map(|end| (value, end)).to_vec();
            Some(PathElement::new(line, INK.stroke_width(2)))
        });
        chart.draw_series(marks)?.label(self.mark).legend(|(x, y)| {
            PathElement::new(vec![(x + 6, y - 6), (x + 6, y + 6)], INK.stroke_width(2))
        });
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE)
            .border_style(RGBColor(200, 200, 200))
            .label_font(("sans-serif", 12).into_font().color(&INK))
            .draw()
    }
}
