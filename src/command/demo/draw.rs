//! The table, drawn: a frame on a screen of any size. 80 columns and 24 lines hold all of it; more give air and
//! taller curves.

use ratatui::Frame as Screen;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Sparkline, Table};

use super::figures::grouped;
use super::frame::{Figures, Frame, ReceiverRow, SenderRow};

/// A receiver that is so many messages behind is at the end of its bar.
const LAG_FULL: u64 = 128;
const BAR: usize = 12;
/// Lines that a curve is given beyond the first.
const CURVE_MAX: usize = 7;

const TITLE: Style = Style::new().add_modifier(Modifier::BOLD);
const QUIET: Style = Style::new().fg(Color::DarkGray);
const RATE: Style = Style::new().fg(Color::Green);
const LAG: Style = Style::new().fg(Color::Yellow);
const HELD: Style = Style::new().fg(Color::Red);
const HEAD: Style = Style::new().fg(Color::Cyan);

pub(super) fn draw(frame: &Frame, screen: &mut Screen<'_>) {
    let area = screen.area();
    let rows = frame.receivers.len() + frame.senders.len() + 2;
    // What is left over goes to the curves, and to empty lines between the parts.
    let spare = usize::from(area.height).saturating_sub(rows + 3);
    let air = u16::from(spare >= 3);
    let curves = 1 + spare.saturating_sub(3).min(CURVE_MAX) as u16;
    let [top, _, curve, _, receivers, _, senders] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(air),
        Constraint::Length(curves),
        Constraint::Length(air),
        Constraint::Length(frame.receivers.len() as u16 + 1),
        Constraint::Length(air),
        Constraint::Fill(1),
    ])
    .areas(area);
    screen.render_widget(Paragraph::new(vec![title(frame), engine(frame)]), top);
    draw_curves(frame, screen, curve);
    screen.render_widget(receiver_table(&frame.receivers), receivers);
    screen.render_widget(sender_table(&frame.senders), senders);
}

fn title(frame: &Frame) -> Line<'static> {
    let left = frame.left.as_secs_f64();
    Line::from(vec![
        Span::styled("mainspring demo", TITLE),
        Span::raw(format!("   {left:.1} s left")),
        Span::styled("   q ends it, and the check follows", QUIET),
    ])
}

fn engine(frame: &Frame) -> Line<'static> {
    let Frame { messages, passes, kicks, messages_per_pass, .. } = frame;
    let figure = |value: String| Span::styled(value, TITLE);
    Line::from(vec![
        Span::raw("clock "),
        figure(grouped(frame.clock)),
        Span::raw("  "),
        figure(per_second(*messages)),
        Span::raw(" messages/s  "),
        figure(per_second(*passes)),
        Span::raw(" passes/s, "),
        figure(format!("{messages_per_pass:.1}")),
        Span::raw(" each  "),
        figure(per_second(*kicks)),
        Span::raw(" kicks/s"),
    ])
}

/// Two curves side by side, each with its name before it.
fn draw_curves(frame: &Frame, screen: &mut Screen<'_>, area: Rect) {
    let [rate_name, rates, lag_name, lags] = Layout::horizontal([
        Constraint::Length(11),
        Constraint::Fill(1),
        Constraint::Length(13),
        Constraint::Fill(1),
    ])
    .areas(area);
    let lag = format!("lag {} ", grouped(frame.lags.last().copied().unwrap_or_default()));
    let curves = [
        ("messages/s ".to_owned(), Alignment::Left, rate_name, &frame.rates, rates, RATE),
        (lag, Alignment::Right, lag_name, &frame.lags, lags, LAG),
    ];
    for (name, alignment, at, points, curve, style) in curves {
        let last_line = Rect { y: at.bottom().saturating_sub(1), height: at.height.min(1), ..at };
        screen.render_widget(Paragraph::new(name).style(QUIET).alignment(alignment), last_line);
        let from = points.len().saturating_sub(usize::from(curve.width));
        screen.render_widget(Sparkline::default().data(&points[from..]).style(style), curve);
    }
}

fn receiver_table(rows: &[ReceiverRow]) -> Table<'static> {
    let titles = ["receiver", "received", "messages/s", "depth", "lag", "behind", ""];
    let widths = [13, 11, 10, 6, 7, 10, 12].map(Constraint::Length);
    let rows = rows.iter().map(|row| {
        let name = named(row.name, row.joined);
        let Some(Figures { received, rate, depth, lag, behind }) = row.figures else {
            return Row::new([name, "-".to_owned()].map(|text| Cell::from(text).style(QUIET)));
        };
        let figures = [grouped(received), per_second(rate), grouped(depth), grouped(lag)];
        let cells = std::iter::once(Cell::from(name))
            .chain(figures.into_iter().map(right))
            .chain([right(grouped(behind)), Cell::from(Span::styled(bar(lag), LAG))]);
        Row::new(cells)
    });
    Table::new(rows, widths).header(header(titles))
}

fn sender_table(rows: &[SenderRow]) -> Table<'static> {
    let titles = ["sender", "sent", "messages/s", "depth", "stalls", "to", ""];
    let widths = [13, 11, 10, 6, 7, 16, 11].map(Constraint::Length);
    let rows = rows.iter().map(|row| {
        let name = named(row.name, row.joined);
        let figures = [row.sent, row.rate as u64, row.depth, row.stalls].map(grouped).map(right);
        let held = row.held_by.as_ref().map_or(String::new(), |by| format!("◀ {by}"));
        let cells = std::iter::once(Cell::from(name))
            .chain(figures)
            .chain([Cell::from(row.to), Cell::from(Span::styled(held, HELD))]);
        Row::new(cells)
    });
    Table::new(rows, widths).header(header(titles))
}

fn header<const N: usize>(titles: [&'static str; N]) -> Row<'static> {
    // All but the first, and the last two of the senders, are figures.
    let cell = |title| match title {
        "receiver" | "sender" | "to" | "" => Cell::from(title),
        figure => right(figure.to_owned()),
    };
    Row::new(titles.map(cell)).style(HEAD)
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).right_aligned())
}

/// One that came several times says so.
fn named(name: &str, joined: u64) -> String {
    if joined > 1 { format!("{name} ×{joined}") } else { name.to_owned() }
}

/// How many messages are waiting with their numbers, as a bar.
fn bar(lag: u64) -> String {
    let eighths = (lag.min(LAG_FULL) as usize * BAR * 8).div_ceil(LAG_FULL as usize);
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{part}", "█".repeat(eighths / 8))
}

fn per_second(rate: f64) -> String {
    grouped(rate.round() as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::frame::{Figures, Frame, ReceiverRow, SenderRow};
    use super::{bar, draw};

    fn receiver(name: &'static str, received: u64, lag: u64, joined: u64) -> ReceiverRow {
        let (rate, depth, behind) = (received as f64 / 8.0, lag + 2, lag * 1000);
        let figures = Some(Figures { received, rate, depth, lag, behind });
        ReceiverRow { name, figures, joined }
    }

    fn sender(name: &'static str, to: &'static str, sent: u64, held_by: Option<&str>) -> SenderRow {
        let held_by = held_by.map(str::to_owned);
        SenderRow { name, to, sent, rate: 1234.4, depth: 64, stalls: 321, joined: 1, held_by }
    }

    fn frame() -> Frame {
        let mut receivers: Vec<_> = ["sink", "orders", "bids", "asks", "quotes 1", "quotes 2"]
            .map(|name| receiver(name, 123_456, 0, 1))
            .into();
        receivers.insert(2, receiver("slow", 12_800, 96, 1));
        receivers.push(ReceiverRow { name: "guest", figures: None, joined: 12 });
        receivers.push(receiver("audit", 99_999_999, 1, 1));
        receivers.push(receiver("watch", 0, 0, 1));
        let mut senders: Vec<_> = ["fast", "visitors", "maker", "feed 1", "feed 2", "relay"]
            .map(|name| sender(name, "bids asks quotes", 7_654_321, None))
            .into();
        senders.insert(2, sender("clerk", "orders slow", 4321, Some("slow")));
        senders.insert(3, sender("eager", "slow", 12_900, Some("slow")));
        senders.push(sender("watch", "audit", 700, None));
        Frame {
            elapsed: Duration::from_millis(2600),
            left: Duration::from_millis(5400),
            clock: 99_999_999,
            messages: 1_234_567.0,
            passes: 45_678.0,
            kicks: 12_345.0,
            messages_per_pass: 27.04,
            receivers,
            senders,
            rates: (0..100).collect(),
            lags: (0..100).map(|n| n % 10).collect(),
        }
    }

    fn screen(width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|screen| draw(&frame(), screen)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| line(y).trim_end().to_owned()).collect()
    }

    /// The line that begins so, in words.
    fn words<'a>(lines: &'a [String], begins: &str) -> Vec<&'a str> {
        let mut found = lines.iter().filter(|line| line.starts_with(begins));
        let line = found.next().unwrap_or_else(|| panic!("no {begins} in {lines:#?}"));
        line.split_whitespace().collect()
    }

    #[test]
    fn everything_is_there_on_small_and_on_large_screens() {
        for (width, height) in [(80, 24), (120, 40), (200, 60)] {
            let lines = screen(width, height);
            assert_eq!(lines[0], "mainspring demo   5.4 s left   q ends it, and the check follows");
            assert_eq!(
                lines[1],
                "clock 99,999,999  1,234,567 messages/s  45,678 passes/s, 27.0 each  12,345 kicks/s"
                    .chars()
                    .take(usize::from(width))
                    .collect::<String>()
                    .trim_end()
            );
            let slow = words(&lines, "slow ");
            assert_eq!(slow, ["slow", "12,800", "1,600", "98", "96", "96,000", "█████████"]);
            let audit = words(&lines, "audit ");
            assert_eq!(audit[..6], ["audit", "99,999,999", "12,500,000", "3", "1", "1,000"]);
            assert_eq!(words(&lines, "guest ×12"), ["guest", "×12", "-"]);
            let eager = words(&lines, "eager ");
            assert_eq!(eager, ["eager", "12,900", "1,234", "64", "321", "slow", "◀", "slow"]);
            let maker = words(&lines, "maker ");
            assert_eq!(maker[5..], ["bids", "asks", "quotes"]);
            let rates = lines.iter().find(|line| line.starts_with("messages/s ")).unwrap();
            assert!(rates.contains('█') && rates.contains(" lag "), "{rates}");
            // The last sender has the last line of those that are drawn.
            let last = lines.iter().rfind(|line| !line.is_empty()).unwrap();
            assert!(last.starts_with("watch "), "{lines:#?}");
        }
    }

    #[test]
    fn a_screen_that_is_too_small_shows_what_it_can() {
        for (width, height) in [(1, 1), (20, 5), (79, 23), (300, 3)] {
            let lines = screen(width, height);
            let begins: String = "mainspring demo".chars().take(usize::from(width)).collect();
            assert!(lines[0].starts_with(&begins), "{lines:#?}");
        }
    }

    #[test]
    fn a_bar_shows_any_lag_and_has_an_end() {
        assert_eq!([bar(0), bar(1), bar(64)], ["", "▏", "██████"]);
        assert_eq!([bar(128), bar(u64::MAX)], ["█".repeat(12), "█".repeat(12)]);
    }
}
