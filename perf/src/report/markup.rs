//! Elements of a page and of a picture: as they are written here, each is closed and all text is
//! escaped.
//!
//! The same text is HTML and XML: elements that HTML knows as empty close themselves, all others have
//! an end of their own.

use std::fmt::{self, Display, Write};

/// An element, its attributes and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    inside: Vec<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Element(Element),
    Text(String),
}

/// An empty one.
pub(super) fn el(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), inside: Vec::new() }
}

impl Element {
    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// A coordinate or a length: a tenth of a pixel is all that can be seen.
    pub(super) fn at(self, name: &'static str, value: f64) -> Self {
        let rounded = (value * 10.0).round() / 10.0;
        // There is no minus nought on a screen.
        self.with(name, rounded + 0.0)
    }

    pub(super) fn class(self, names: impl Display) -> Self {
        self.with("class", names)
    }

    pub(super) fn text(mut self, text: impl Display) -> Self {
        self.inside.push(Node::Text(text.to_string()));
        self
    }

    pub(super) fn add(mut self, element: Self) -> Self {
        self.inside.push(Node::Element(element));
        self
    }

    pub(super) fn all(mut self, elements: impl IntoIterator<Item = Self>) -> Self {
        self.inside.extend(elements.into_iter().map(Node::Element));
        self
    }

    fn is_void(&self) -> bool {
        matches!(self.name, "meta" | "br" | "hr")
    }

    /// Whether a new line after it changes nothing that can be seen.
    fn is_block(&self) -> bool {
        !matches!(self.name, "a" | "b" | "code" | "span" | "em" | "tspan")
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            write!(f, " {name}=\"{}\"", Escaped(value))?;
        }
        if self.is_void() {
            f.write_str("/>")?;
        } else {
            f.write_char('>')?;
            for node in &self.inside {
                match node {
                    Node::Element(element) => write!(f, "{element}")?,
                    Node::Text(text) => write!(f, "{}", Escaped(text))?,
                }
            }
            write!(f, "</{}>", self.name)?;
        }
        if self.is_block() { f.write_char('\n') } else { Ok(()) }
    }
}

/// Style sheets stay as they are: what is escaped here does not occur in them.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '"' => f.write_str("&quot;")?,
                // What XML cannot hold.
                c if c.is_control() && c != '\n' => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A drawing of a known size, and what it shows in words.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) title: String,
    /// For those who do not see it.
    pub(super) account: String,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) drawn: Vec<Element>,
}

const SVG: &str = "http://www.w3.org/2000/svg";
/// What the charts look like, on the page and alone.
pub(super) const CHART_CSS: &str = include_str!("chart.css");

impl Picture {
    /// For a page that has [`CHART_CSS`] and [`hatch`].
    pub(super) fn inline(&self) -> Element {
        self.svg().all(self.drawn.iter().cloned())
    }

    fn svg(&self) -> Element {
        el("svg")
            .with("xmlns", SVG)
            .with("viewBox", format_args!("0 0 {} {}", self.width.ceil(), self.height.ceil()))
            .with("role", "img")
            .with("aria-label", format_args!("{}. {}", self.title, self.account))
    }

    /// A file of its own: a heading, and the pictures one below the other.
    pub(super) fn file(heading: &str, pictures: &[Self]) -> String {
        const MARGIN: f64 = 16.0;
        const HEADING: f64 = 40.0;
        let width = pictures.iter().map(|picture| picture.width).fold(0.0, f64::max) + 2.0 * MARGIN;
        let mut y = HEADING;
        let mut drawn = Vec::new();
        for picture in pictures {
            let place = format!("translate({MARGIN} {y:.1})");
            let group = el("g").with("transform", place).add(el("title").text(&picture.title));
            drawn.push(group.all(picture.drawn.iter().cloned()));
            y += picture.height + MARGIN;
        }
        let account = pictures.iter().map(|p| format!("{}: {}", p.title, p.account));
        let all = Self {
            title: heading.into(),
            account: account.collect::<Vec<_>>().join(" "),
            width,
            height: y,
            drawn,
        };
        let heading = el("text").class("name").at("x", MARGIN).at("y", 26.0).text(heading);
        let paper = el("rect").class("paper").with("width", "100%").with("height", "100%");
        let style = el("style").text(CHART_CSS);
        let size = |svg: Element| svg.at("width", all.width.ceil()).at("height", all.height.ceil());
        size(all.svg())
            .all([style, hatch(), paper, heading])
            .all(all.drawn.iter().cloned())
            .to_string()
    }
}

/// The pattern of what cannot be compared; once in each file.
pub(super) fn hatch() -> Element {
    let line = el("path").class("hatch").with("d", "M-2 2 L2 -2 M0 8 L8 0 M6 10 L10 6");
    let pattern = el("pattern")
        .with("id", "void")
        .with("width", 8)
        .with("height", 8)
        .with("patternUnits", "userSpaceOnUse");
    el("defs").add(pattern.add(line))
}

/// Text at a place; `class` says how it stands there.
pub(super) fn text(class: &str, x: f64, y: f64, text: impl Display) -> Element {
    el("text").class(class).at("x", x).at("y", y).text(text)
}

pub(super) fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> Element {
    el("line").class(class).at("x1", x1).at("y1", y1).at("x2", x2).at("y2", y2)
}

pub(super) fn rect(class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) -> Element {
    el("rect").class(class).at("x", x).at("y", y).at("width", width).at("height", height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped() {
        let element = el("b").with("title", "\"a\" <&>").text("1 < 2 & \u{1}3");
        let shown = element.to_string();
        assert_eq!(shown, "<b title=\"&quot;a&quot; &lt;&amp;>\">1 &lt; 2 &amp;  3</b>");
        let read = roxmltree::Document::parse(&shown).unwrap();
        assert_eq!(read.root_element().attribute("title"), Some("\"a\" <&>"));
        assert_eq!(read.root_element().text(), Some("1 < 2 &  3"));
    }

    #[test]
    fn only_those_close_themselves_that_html_knows_as_empty() {
        let shown = el("div").add(el("span")).add(el("br")).to_string();
        assert_eq!(shown, "<div><span></span><br/>\n</div>\n");
    }

    #[test]
    fn style_sheets_need_no_escape() {
        assert_eq!(Escaped(CHART_CSS).to_string().replace("&quot;", "\""), CHART_CSS);
        assert!(!CHART_CSS.contains('"'));
    }
}
