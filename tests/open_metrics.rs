//! The feature `openmetrics`: what is written is read by a strict reader of the format, and says what the report says.

#![cfg(not(loom))]

use std::collections::{BTreeMap, BTreeSet};

use mainspring::{Drive, Engine, Stats};

/// A family as the reader has found it.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    unit: Option<String>,
    help: Option<String>,
    samples: Vec<(BTreeMap<String, String>, String)>,
}

impl Family {
    /// The value of the sample with this label.
    fn of(&self, label: &str, value: &str) -> &str {
        let is_it =
            |labels: &BTreeMap<String, String>| labels.get(label).is_some_and(|l| l == value);
        let mut found = self.samples.iter().filter(|(labels, _)| is_it(labels));
        let (_, told) = found.next().unwrap_or_else(|| panic!("{label}={value} in {self:?}"));
        assert!(found.next().is_none(), "{label}={value} twice in {self:?}");
        told
    }
}

fn is_name(name: &str, colon: bool) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || (colon && c == ':');
    name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

/// Takes an escaped string off, up to a bare quote; the text, and what follows the quote.
fn unescape(text: &str) -> Result<(String, &str), String> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next().map(|(_, char)| char) {
                Some('n') => value.push('\n'),
                Some(char @ ('"' | '\\')) => value.push(char),
                other => return Err(format!("\\{other:?} is no escape")),
            },
            char => value.push(char),
        }
    }
    Err(format!("no end of {text:?}"))
}

fn labels(mut text: &str) -> Result<(BTreeMap<String, String>, &str), String> {
    let mut labels = BTreeMap::new();
    let Some(rest) = text.strip_prefix('{') else { return Ok((labels, text)) };
    text = rest;
    loop {
        if let Some(rest) = text.strip_prefix('}') {
            return Ok((labels, rest));
        }
        if !labels.is_empty() {
            text = text.strip_prefix(',').ok_or_else(|| format!("a comma before {text:?}"))?;
        }
        let (name, rest) = text.split_once("=\"").ok_or_else(|| format!("a label in {text:?}"))?;
        if !is_name(name, false) {
            return Err(format!("the label {name:?}"));
        }
        let (value, rest) = unescape(rest)?;
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("the label {name} twice"));
        }
        text = rest;
    }
}

fn is_number(text: &str) -> bool {
    let is_whole = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = text.split_once('e').map_or((text, None), |(m, e)| (m, Some(e)));
    let exponent = exponent.is_none_or(|e| is_whole(e.strip_prefix('-').unwrap_or(e)));
    let mantissa = match mantissa.split_once('.') {
        Some((whole, part)) => is_whole(whole) && is_whole(part),
        None => is_whole(mantissa),
    };
    exponent && mantissa
}

/// Reads a whole exposition, and refuses what the specification does, and what it advises against.
fn read(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("no end")?;
    let (mut families, mut current) = (BTreeMap::<String, Family>::new(), String::new());
    for line in body.split_terminator('\n') {
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let [what, name, rest] = [(); 3].map(|()| words.next().unwrap_or_default());
            if !is_name(name, true) || rest.is_empty() {
                return Err(format!("metadata {line:?}"));
            }
            if what == "TYPE" {
                let kind = rest.to_owned();
                if !["counter", "gauge"].contains(&rest) {
                    return Err(format!("the type {rest}"));
                }
                if families.insert(name.to_owned(), Family { kind, ..Family::default() }).is_some()
                {
                    return Err(format!("{name} comes twice"));
                }
                current = name.to_owned();
                continue;
            }
            let family = families.get_mut(name).filter(|_| name == current);
            let family = family.ok_or_else(|| format!("{line:?} has no type"))?;
            if !family.samples.is_empty() {
                return Err(format!("{line:?} comes late"));
            }
            let told = match what {
                "UNIT" if family.help.is_none() && name.ends_with(&format!("_{rest}")) => {
                    family.unit.replace(rest.to_owned())
                }
                "HELP" if unescape(&format!("{rest}\"")).is_ok_and(|(_, rest)| rest.is_empty()) => {
                    family.help.replace(rest.to_owned())
                }
                _ => return Err(format!("metadata {line:?}")),
            };
            if told.is_some() {
                return Err(format!("{line:?} comes twice"));
            }
            continue;
        }
        let end = line.find(['{', ' ']).ok_or_else(|| format!("no value in {line:?}"))?;
        let (name, rest) = line.split_at(end);
        let family = families.get_mut(&current).ok_or_else(|| format!("{line:?} has no type"))?;
        let suffix = if family.kind == "counter" { "_total" } else { "" };
        if name != current.clone() + suffix {
            return Err(format!("{name} is no sample of {current}"));
        }
        let (labels, rest) = labels(rest)?;
        let value = rest.strip_prefix(' ').filter(|value| is_number(value));
        let value = value.ok_or_else(|| format!("the value of {line:?}"))?;
        if family.samples.iter().any(|(other, _)| *other == labels) {
            return Err(format!("{line:?} comes twice"));
        }
        family.samples.push((labels, value.to_owned()));
    }
    Ok(families)
}

fn by_hand(timestamps: bool) -> Engine {
    let builder = Engine::builder().drive(Drive::manual(|| {})).inbox(1).capacity(2);
    builder.timestamps(timestamps).build().unwrap()
}

fn families(stats: &Stats) -> BTreeMap<String, Family> {
    let text = stats.to_open_metrics();
    let mut written = String::new();
    stats.open_metrics(&mut written).unwrap();
    assert_eq!(text, written);
    let families = read(&text).unwrap_or_else(|error| panic!("{error}, in\n{text}"));
    for (name, family) in &families {
        assert!(name.starts_with("mainspring_"));
        assert!(family.help.is_some() && !family.samples.is_empty(), "{name}: {family:?}");
        assert_eq!(family.unit.as_deref(), name.ends_with("_seconds").then_some("seconds"));
    }
    families
}

/// Goal: the reader of these tests would see a mistake. Method: one of each kind.
#[test]
fn the_reader_is_strict() {
    let good = "# TYPE a counter\n# HELP a A\\\\B.\na_total{x=\"1\"} 2\na_total{x=\"2\\n\"} 1.5e-7\n# EOF\n";
    assert_eq!(read(good).unwrap()["a"].of("x", "2\n"), "1.5e-7");
    assert!(read("# EOF\n").unwrap().is_empty());
    for (right, wrong) in [
        ("# EOF\n", ""),
        ("a_total{x=\"1\"}", "a{x=\"1\"}"),
        ("a_total{x=\"1\"}", "a_total{x=\"2\\n\"}"),
        ("a_total{x=\"1\"}", "b_total{x=\"1\"}"),
        ("a_total{x=\"1\"}", "a_total{x=\"1\",x=\"2\"}"),
        ("a_total{x=\"1\"}", "a_total{x=\"1\"y\"}"),
        ("a_total{x=\"1\"}", "a_total{1=\"1\"}"),
        ("a_total{x=\"1\"}", "a_total{x=\"\\t\"}"),
        ("} 2\n", "} 2.\n"),
        ("} 2\n", "}  2\n"),
        ("} 2\n", "}\n"),
        ("} 2\n", "} 2\n\n"),
        ("} 2\n", "} 2\n# UNIT a a\n"),
        ("# TYPE a counter\n", ""),
        ("# HELP a A\\\\B.\n", "# HELP a A\\B.\n"),
        ("# HELP a A\\\\B.\n", "# UNIT a seconds\n"),
        ("# HELP a A\\\\B.\n", "# comment\n"),
        ("# HELP a A\\\\B.\n", "# TYPE a counter\n"),
        ("# HELP a A\\\\B.\n", "# HELP b B\n"),
    ] {
        let bad = good.replacen(right, wrong, 1);
        assert!(bad != good && read(&bad).is_err(), "{bad}");
    }
}

/// Goal: an engine with nobody has its own figures and nothing else. Method: with and without timestamps.
#[test]
fn an_empty_engine_is_written() {
    for timestamps in [false, true] {
        let told = families(&by_hand(timestamps).stats());
        let names: Vec<_> = told.keys().map(String::as_str).collect();
        let expected = ["clock", "discarded", "kicks", "passes", "short_ways"];
        assert_eq!(names, expected.map(|name| format!("mainspring_{name}")));
        assert_eq!(told["mainspring_clock"].samples[0], (BTreeMap::new(), "0".to_owned()));
        assert_eq!(told["mainspring_clock"].kind, "gauge");
        assert_eq!(told["mainspring_passes"].kind, "counter");
    }
}

/// Goal: each figure of a report is where one looks for it. Method: receivers with and without a name, and outboxes,
/// in a jam; what is written beside the report itself.
#[test]
fn a_report_is_written_whole() {
    let engine = by_hand(true);
    let (mut tx, orders) = engine.options().name("orders").channel().unwrap();
    let (mut other, mut nameless) = engine.channel();
    let mut router = engine.named_outbox("router");
    let idle = engine.outbox();
    let (mut to_nobody, gone) = engine.channel();
    to_nobody.send(0).unwrap();
    drop(gone);
    let target = router.add(&orders.address()).unwrap();
    engine.run_until_idle();
    tx.send(1).unwrap();
    other.send(1).unwrap();
    engine.run_until_idle();
    tx.send(2).unwrap();
    router.send(target, 3).unwrap();
    engine.run_until_idle();
    nameless.try_recv().unwrap();
    assert!(nameless.try_recv().is_err());
    let stats = engine.stats();
    let told = families(&stats);
    let told = |name: &str| &told[&format!("mainspring_{name}")];
    let ids = [&orders.address().id(), &nameless.address().id()].map(u64::to_string);
    for (id, rx) in ids.iter().zip(&stats.receivers) {
        assert_eq!(id, &rx.id.to_string());
        let of = |name: &str| told(name).of("id", id).to_owned();
        assert_eq!(of("receiver_received"), rx.received.to_string());
        assert_eq!(of("receiver_missed"), rx.missed.to_string());
        assert_eq!(of("receiver_depth"), rx.depth.to_string());
        assert_eq!(of("receiver_lag"), rx.lag.to_string());
        assert_eq!(of("receiver_handled"), rx.handled.unwrap().to_string());
        assert_eq!(of("receiver_lanes"), rx.lanes.len().to_string());
        assert_eq!(of("receiver_stalls"), rx.stalls.to_string());
        assert_eq!(of("receiver_inbox_entries"), rx.inbox_len.to_string());
        assert_eq!(of("receiver_inbox_capacity"), rx.inbox_capacity.to_string());
        let lag: f64 = of("receiver_lag_seconds").parse().unwrap();
        assert_eq!(lag, rx.lag_time.unwrap().as_secs_f64());
    }
    assert_eq!(told("receiver_depth").of("name", "orders"), "3");
    assert_eq!(told("discarded").samples, [(BTreeMap::new(), "1".to_owned())]);
    assert_eq!(told("receiver_lag_seconds").of("id", &ids[1]), "0.0");
    assert!(told("clock_age_seconds").samples[0].1.contains(['.', 'e']));
    let held: Vec<_> = told("receiver_held_up_lanes").samples.iter().collect();
    assert_eq!(held.len(), 6);
    let of_orders = held.iter().filter(|(labels, _)| labels["id"] == ids[0]);
    let of_orders: Vec<_> =
        of_orders.map(|(labels, value)| (labels["reason"].as_str(), value.as_str())).collect();
    assert_eq!(of_orders, [("lane_full", "0"), ("inbox_full", "2"), ("behind", "0")]);
    for outbox in &stats.outboxes {
        let of = |name: &str| told(name).of("id", &outbox.id.to_string()).to_owned();
        assert_eq!(of("outbox_sent"), outbox.sent.to_string());
        assert_eq!(of("outbox_depth"), outbox.depth.to_string());
        assert_eq!(of("outbox_capacity"), outbox.capacity.to_string());
        assert_eq!(of("outbox_stalls"), outbox.stalls.to_string());
    }
    assert_eq!(told("outbox_sent").of("name", "router"), "1");
    assert_eq!(told("outbox_sent").of("id", &idle.id().to_string()), "0");
    let [(labels, value)] = &told("outbox_held_by").samples[..] else { panic!("one is held") };
    assert_eq!((labels["name"].as_str(), labels["receiver"].as_str()), ("router", "orders"));
    assert_eq!((&labels["receiver_id"], value.as_str()), (&ids[0], "1"));
}

/// Goal: names are what they are. Method: names with all that has to be escaped, an empty one, and one that two have.
#[test]
fn names_are_escaped() {
    let engine = by_hand(false);
    let names = [
        "a\\b",
        "\"quoted\"",
        "two\nlines",
        "\\n",
        "\\\"",
        "été 🕰",
        "}{,=\"",
        "",
        "twice",
        "twice",
    ];
    let named = |name| engine.options::<u8>().name(name).receiver().unwrap();
    let receivers: Vec<_> = names.into_iter().map(named).collect();
    let _outbox = engine.named_outbox("\\\n\"");
    let told = families(&engine.stats());
    let samples = &told["mainspring_receiver_depth"].samples;
    let read: Vec<_> = samples.iter().map(|(labels, _)| labels.get("name").cloned()).collect();
    let expected = names.map(|name| Some(name.to_owned()).filter(|name| !name.is_empty()));
    assert_eq!(read, expected);
    let ids: BTreeSet<_> = samples.iter().map(|(labels, _)| labels["id"].clone()).collect();
    assert_eq!(ids, receivers.iter().map(|rx| rx.address().id().to_string()).collect());
    assert_eq!(told["mainspring_outbox_sent"].of("name", "\\\n\""), "0");
    assert!(!told.contains_key("mainspring_receiver_lag_seconds"));
}

/// Goal: an error of whoever is written to is passed on. Method: one who takes so many bytes, for every number.
#[test]
fn errors_are_passed_on() {
    struct Short(usize);
    impl std::fmt::Write for Short {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(std::fmt::Error)?;
            Ok(())
        }
    }
    let engine = by_hand(true);
    let _receiver = engine.receiver::<u8>();
    let stats = engine.stats();
    let len = stats.to_open_metrics().len();
    for room in 0..len {
        assert!(stats.open_metrics(&mut Short(room)).is_err());
    }
    assert!(stats.open_metrics(&mut Short(len)).is_ok());
    assert_eq!(
        Stats::OPEN_METRICS_TYPE,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
}
