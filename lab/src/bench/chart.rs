//! Charts as SVG: lines over the size of the problem, or ranges side by side. Both axes of figures are logarithmic.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

const WIDTH: u32 = 860;
/// The part of a chart of lines that the legend has.
const LEGEND: u32 = 200;
const FONT: (&str, u32) = ("sans-serif", 14);
/// Okabe and Ito's palette, which the colour-blind can tell apart.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
];

const OURS: &str = "Carillon";
const OUR_COLOR: RGBColor = RGBColor(0, 114, 178);
const OTHER_COLOR: RGBColor = RGBColor(160, 160, 160);

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A picture of a benchmark's results.
pub struct Chart {
    title: String,
    unit: &'static str,
    content: Content,
}

enum Content {
    Lines(Vec<(String, Vec<(f64, f64)>)>),
    Ranges(Vec<(String, [f64; 3])>),
}

impl Chart {
    /// A chart of figures in `unit` over the size of the problem.
    pub fn lines(title: &str, unit: &'static str) -> Self {
        Self::new(title, unit, Content::Lines(Vec::new()))
    }

    /// A chart of ranges in `unit`, one below the other.
    pub fn ranges(title: &str, unit: &'static str) -> Self {
        Self::new(title, unit, Content::Ranges(Vec::new()))
    }

    fn new(title: &str, unit: &'static str, content: Content) -> Self {
        let title = title.to_owned();
        Self {
            title,
            unit,
            content,
        }
    }

    /// Adds the point (`n`, `value`) to the line `name`. Does nothing in a chart of ranges.
    pub fn point(&mut self, name: &str, n: usize, value: f64) {
        let Content::Lines(lines) = &mut self.content else {
            return;
        };
        let point = (n as f64, value);
        match lines.iter_mut().find(|(line, _)| line == name) {
            Some((_, points)) => points.push(point),
            None => lines.push((name.to_owned(), vec![point])),
        }
    }

    /// Adds a range with its middle. Does nothing in a chart of lines.
    pub fn range(&mut self, name: &str, low_middle_high: [f64; 3]) {
        if let Content::Ranges(ranges) = &mut self.content {
            ranges.push((name.to_owned(), low_middle_high));
        }
    }

    /// The picture.
    pub fn to_svg(&self) -> Result<String> {
        let height = match &self.content {
            Content::Lines(_) => 420,
            Content::Ranges(ranges) => 90 + 36 * u32::try_from(ranges.len())?,
        };
        let mut svg = String::new();
        {
            let canvas = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
            canvas.fill(&WHITE).map_err(drawing)?;
            match &self.content {
                Content::Lines(lines) => self.draw_lines(&canvas, lines)?,
                Content::Ranges(ranges) => self.draw_ranges(&canvas, ranges)?,
            }
            canvas.present().map_err(drawing)?;
        }
        Ok(svg)
    }

    fn draw_lines(&self, canvas: &Canvas<'_>, lines: &[(String, Vec<(f64, f64)>)]) -> Result<()> {
        let points = || lines.iter().flat_map(|(_, points)| points);
        let (Some(x), Some(y)) = (extent(points().map(|p| p.0)), extent(points().map(|p| p.1)))
        else {
            return Ok(());
        };
        let (plot, legend) = canvas.split_horizontally(WIDTH - LEGEND);
        let mut chart = ChartBuilder::on(&plot)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .margin_right(30)
            .x_label_area_size(42)
            .y_label_area_size(70)
            .build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale())
            .map_err(drawing)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .label_style(FONT)
            .x_label_formatter(&ToString::to_string)
            .y_label_formatter(&ToString::to_string)
            .x_desc("n")
            .y_desc(self.unit)
            .draw()
            .map_err(drawing)?;
        let colors = COLORS.iter().cycle();
        for (((name, points), color), y) in lines.iter().zip(colors).zip((60..).step_by(24)) {
            let style = color.stroke_width(2);
            let line = LineSeries::new(points.iter().copied(), style).point_size(4);
            chart.draw_series(line).map_err(drawing)?;
            let sample = PathElement::new([(0, y), (20, y)], style);
            legend.draw(&sample).map_err(drawing)?;
            let label = Text::new(name.clone(), (28, y - 7), FONT);
            legend.draw(&label).map_err(drawing)?;
        }
        Ok(())
    }

    fn draw_ranges(&self, canvas: &Canvas<'_>, ranges: &[(String, [f64; 3])]) -> Result<()> {
        let Some(x) = extent(ranges.iter().flat_map(|(_, range)| *range)) else {
            return Ok(());
        };
        let bottom = -f64::from(u32::try_from(ranges.len())?);
        let mut chart = ChartBuilder::on(canvas)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .margin_right(30)
            .x_label_area_size(42)
            .y_label_area_size(12)
            .build_cartesian_2d((x.0..x.1).log_scale(), bottom..0.0)
            .map_err(drawing)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .label_style(FONT)
            .x_label_formatter(&ToString::to_string)
            .x_desc(self.unit)
            .draw()
            .map_err(drawing)?;
        for (row, (name, [low, middle, high])) in (0_u32..).zip(ranges) {
            let y = -f64::from(row) - 0.7;
            // Zero has no place on a logarithmic axis; it is at its left end.
            let [low, middle, high] = [low, middle, high].map(|value| value.max(x.0));
            let color = if name.starts_with(OURS) {
                OUR_COLOR
            } else {
                OTHER_COLOR
            };
            let line = PathElement::new([(low, y), (high, y)], color.stroke_width(5));
            let dot = Circle::new((middle, y), 5, BLACK.filled());
            let label = Text::new(name.clone(), (x.0, y + 0.55), FONT);
            chart.draw_series([line]).map_err(drawing)?;
            chart.draw_series([dot]).map_err(drawing)?;
            chart.draw_series([label]).map_err(drawing)?;
        }
        Ok(())
    }
}

/// The decades that hold all values.
fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values
        .filter(|value| *value > 0.0)
        .fold(None, |extent, value| {
            let (low, high) = extent.unwrap_or((value, value));
            Some((f64::min(low, value), f64::max(high, value)))
        })?;
    let low = 10_f64.powf(low.log10().floor());
    Some((low, f64::max(10_f64.powf(high.log10().ceil()), low * 10.0)))
}

fn drawing(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw the chart: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_drawn_with_their_names() {
        let mut lines = Chart::lines("Time", "ms");
        lines.point("fast", 1, 0.4);
        lines.point("fast", 1000, 4.0);
        let mut ranges = Chart::ranges("Delay", "ms");
        ranges.range("slow", [1.0, 2.0, 30.0]);
        for (chart, name) in [(lines, "fast"), (ranges, "slow")] {
            let svg = chart.to_svg().unwrap();
            assert!(svg.starts_with("<svg") && svg.contains(name), "{svg}");
        }
    }

    #[test]
    fn extents_are_whole_decades() {
        assert_eq!(extent([0.4, 30.0].into_iter()), Some((0.1, 100.0)));
        assert_eq!(extent([1.0].into_iter()), Some((1.0, 10.0)));
        assert_eq!(extent(std::iter::empty()), None);
    }
}
