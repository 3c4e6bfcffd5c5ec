//! Without `--out` several receivers share standard output: their lines come in the order of their numbers.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use super::place::{
    Ends, Place, assert_dense, assert_in_order, kill, lines, rows_in, start, table_in, texts_of,
};

#[test]
fn several_receivers_are_merged_by_number_on_standard_output() {
    let place = Place::new();
    let files: Vec<String> = (0..6).map(|nth| format!("{nth}.log")).collect();
    for (nth, file) in files.iter().enumerate() {
        place.write(file, lines(file, 1 + 2000 * nth));
    }
    let rules: [&[&str]; 5] = [
        &["-n", "2"],
        &["-n", "5", "--by", "round-robin"],
        &["-n", "3", "-k", "3"],
        &["-n", "3", "-k", "3", "--memory", "64K", "--open", "2"],
        &["-n", "100", "--by", "hash", "-k", "3"],
    ];
    for rule in rules {
        let args = rule.iter().copied().chain(files.iter().map(String::as_str));
        let rows = rows_in(&place.route(args).succeeds().stdout, 1);
        assert_dense(&rows); // as they stand there
        assert_in_order(&rows);
        for file in &files {
            assert_eq!(texts_of(&rows, file).join(&b'\n'), place.read(file).trim_ascii_end());
        }
    }
}

#[test]
fn the_table_tells_of_each_receiver_what_it_tells_of_one_with_a_file() {
    let place = Place::new();
    place.write("a", lines("a", 5000));
    for rule in [["-n", "3", "-k", "3"], ["-n", "4", "-b", "round-robin"]] {
        let merged = place.route(rule.iter().chain(&["a"])).succeeds();
        let parted = place.route(rule.iter().chain(&["-f", "-o", "out", "a"])).succeeds();
        let (merged, parted) = (table_in(&merged.stderr), table_in(&parted.stderr));
        let told = |table: &std::collections::BTreeMap<String, Vec<String>>| {
            table.values().map(|row| row[..3].to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(told(&merged), told(&parted), "messages, bytes, last seq");
        assert!(merged.values().all(|row| row[3] == "5000"), "each has come to the end");
    }
}

#[test]
fn a_pipe_closed_by_its_reader_ends_a_merge_with_141() {
    let place = Place::new();
    place.write("a", lines("a", 100_000));
    for quiet in [false, true] {
        let mut command = place.command(["-n", "3", "a"]);
        command.args(quiet.then_some("-q")).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = String::new();
        BufReader::with_capacity(64, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert_eq!(first, "1\ta\t1\ta 0 user-0\n");
        let run = child.wait_with_output().unwrap();
        assert_eq!(run.status.code(), Some(141));
        assert_eq!(run.stderr.is_empty(), quiet);
        assert!(!String::from_utf8_lossy(&run.stderr).contains("messages"), "no table");
    }
}

#[test]
fn a_full_disk_ends_a_merge() {
    let place = Place::new();
    place.write("a", lines("a", 100_000));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let run = place.command(["-n", "3", "-k", "3", "a"]).stdout(full).output().unwrap();
    let table = table_in(&run.fails(1, "standard output: No space left").stderr);
    assert_eq!(table["total"], ["0", "0", "-", "0"], "nothing was written");
}

#[test]
fn a_signal_ends_a_merge_and_what_was_sent_is_there() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        place.write("stdout", "");
        let file = File::options().write(true).open(place.path("stdout")).unwrap();
        let mut command = place.command(["-n", "3", "-k", "3", "-"]);
        command.stdin(Stdio::piped()).stdout(file).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // More than any pipe holds: when it is written, most of it has been read.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(lines("stdin", 200_000).as_bytes()).unwrap();
        kill(&child, signal);
        let run = child.wait_with_output().unwrap();
        let table = table_in(&run.fails(code, "ed before the end").stderr);
        let rows = rows_in(&place.read("stdout"), 1);
        assert!(rows.len() > 10_000);
        assert_dense(&rows);
        assert_in_order(&rows);
        assert_eq!([&table["total"][0], &table["total"][2]], [&rows.len().to_string(); 2]);
        drop(stdin); // It was open until here: nothing but the signal ended it.
    }
}

#[test]
fn merged_lines_come_out_soon_and_a_silent_input_holds_nobody_up() {
    let place = Place::new();
    place.write("a", lines("a", 4));
    let mut child = start(&mut place.command(["-n", "3", "-", "a"]));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || stdout.next().unwrap().unwrap();
    for nth in 0..4 {
        assert_eq!(next(), format!("{}\ta\t{}\ta {nth} user-{nth}", nth + 1, nth + 1));
    }
    for seq in 5..10 {
        stdin.write_all(b"one more\n").unwrap();
        assert_eq!(next(), format!("{seq}\t-\t{}\tone more", seq - 4));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn standard_output_that_is_an_input_is_refused_for_a_merge_too() {
    let place = Place::new();
    place.write("a", "x\n");
    let stdout = File::options().append(true).open(place.path("a")).unwrap();
    let run = place.command(["-n", "2", "a"]).stdout(stdout).output().unwrap();
    run.fails(1, "would be overwritten");
    assert_eq!(place.read("a"), b"x\n");
}
