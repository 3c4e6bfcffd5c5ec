//! The terminal while the demo runs: the other screen, keys, and its way back, whatever ends the demo.
//!
//! Only the thread that draws touches it. A panic of another thread is kept until the terminal is as it was, and told
//! then: the report of a panic would be lost on a screen that goes away, and nothing can be drawn over it.

use std::io::{self, Write};
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};
use ratatui::{Terminal, backend::CrosstermBackend};

use super::draw::draw;
use super::error::Error;
use super::frame::Sampler;
use super::stop::{Signals, Stop};

/// From one frame to the next.
const FRAME: Duration = Duration::from_millis(100);

/// Shows a frame after the other until `end`, or until somebody asks for the end.
pub(super) fn show(
    mut sampler: Sampler<'_>,
    stop: &Stop,
    signals: &Signals,
    end: Instant,
) -> Result<(), Error> {
    let guard = Guard::enter().map_err(Error::Terminal)?;
    let shown = show_frames(&mut sampler, stop, signals, end).map_err(Error::Terminal);
    drop(guard);
    shown
}

fn show_frames(
    sampler: &mut Sampler<'_>,
    stop: &Stop,
    signals: &Signals,
    end: Instant,
) -> io::Result<()> {
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let mut next = Instant::now();
    loop {
        let frame = sampler.look();
        terminal.draw(|screen| draw(&frame, screen))?;
        // A frame that took too long is not made up for.
        next = (next + FRAME).max(Instant::now()).min(end);
        while event::poll(next.saturating_duration_since(Instant::now()))? {
            if ends(&event::read()?) {
                return Ok(());
            }
        }
        if stop.is_set() || next >= end || signals.wait(next)? {
            return Ok(());
        }
    }
}

/// Whether this asks for the end.
fn ends(event: &Event) -> bool {
    let Event::Key(KeyEvent { code, modifiers, kind, .. }) = event else { return false };
    let is_press = *kind != KeyEventKind::Release;
    let control = modifiers.contains(KeyModifiers::CONTROL);
    let asks = match code {
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => true,
        // In raw mode it is a key and no signal.
        KeyCode::Char('c' | 'd') => control,
        _ => false,
    };
    is_press && asks
}

/// The terminal is ours as long as this lives.
struct Guard {
    panics: Panics,
}

/// What panics had to say; none if it is told at once.
type Panics = Arc<Mutex<Option<Vec<String>>>>;

impl Guard {
    fn enter() -> io::Result<Self> {
        let panics = Panics::new(Mutex::new(Some(Vec::new())));
        let (kept, told) = (Arc::clone(&panics), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            match kept.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                Some(kept) => {
                    let thread = thread::current();
                    kept.push(format!("thread '{}' {info}", thread.name().unwrap_or_default()));
                }
                None => told(info),
            }
        }));
        // From here on it is restored, also if the second step fails.
        let guard = Self { panics };
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // If these fail there is no terminal any more.
        execute!(io::stdout(), LeaveAlternateScreen, cursor::Show).ok();
        disable_raw_mode().ok();
        let kept = self.panics.lock().unwrap_or_else(PoisonError::into_inner).take();
        for told in kept.into_iter().flatten() {
            writeln!(io::stderr(), "{told}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

    use super::ends;

    #[test]
    fn q_escape_and_control_c_end_it_and_nothing_else_does() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        let none = KeyModifiers::NONE;
        for code in [KeyCode::Char('q'), KeyCode::Esc] {
            assert!(ends(&key(code, none)));
        }
        assert!(ends(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        for code in [KeyCode::Char('c'), KeyCode::Enter, KeyCode::Up] {
            assert!(!ends(&key(code, none)));
        }
        assert!(!ends(&Event::Resize(80, 24)));
    }
}
