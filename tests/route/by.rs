//! `--by`: which receivers get a line, and that none is lost on the way, whatever the rule.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};

use super::place::{
    Ends, Place, assert_dense, assert_in_order, assert_table_tells, kill, lines, rows_in, start,
    table_in, texts_of,
};

#[test]
fn a_key_alone_means_by_hash() {
    let place = Place::new();
    place.write("a", lines("a", 1000));
    place.route(["-n", "3", "-k", "3", "-o", "key", "a"]).succeeds();
    place.route(["-n", "3", "--by", "hash", "-k", "3", "-o", "hash", "a"]).succeeds();
    assert_eq!(place.rows("key"), place.rows("hash"));
}

#[test]
fn a_key_is_assigned_as_in_every_version_before() {
    let place = Place::new();
    place.write("a", "ada\nbob\ncyd\ndan\neve\nfay\n\nüñ\n");
    place.route(["-n", "5", "-k", "1", "-o", "out", "a"]).succeeds();
    let assigned = [2, 5, 4, 3, 4, 1, 5, 1];
    let outputs: Vec<usize> = place.rows("out").iter().map(|row| row.output).collect();
    assert_eq!(outputs, assigned);
}

#[test]
fn by_turn_the_lines_of_a_file_go_round_strictly() {
    let place = Place::new();
    place.write("a", lines("a", 1000));
    for args in [["--by", "round-robin", "-n", "7"], ["-n", "7", "--by", "round-robin"]] {
        place.route(args.into_iter().chain(["-f", "-o", "out", "a"])).succeeds();
        for row in place.rows("out") {
            assert_eq!(row.output as u64, (row.line - 1) % 7 + 1);
        }
    }
}

#[test]
fn a_broadcast_line_has_one_number_in_every_output() {
    let place = Place::new();
    let files: Vec<String> = (0..5).map(|nth| format!("{nth}.log")).collect();
    for (nth, file) in files.iter().enumerate() {
        place.write(file, lines(file, 1 + 3000 * nth));
    }
    // Also where lines wait for memory, and where not all files are open at once.
    for limit in [["--memory", "64M"], ["--memory", "64K"], ["--open", "2"]] {
        let args = ["--by", "broadcast", "-n", "4", "-f", "-o", "out"].into_iter().chain(limit);
        let run = place.route(args.chain(files.iter().map(String::as_str)));
        let table = table_in(&run.succeeds().stderr);
        let rows = rows_in(&place.read("out/receiver-0001.tsv"), 1);
        assert_dense(&rows);
        assert_in_order(&rows);
        for file in &files {
            assert_eq!(texts_of(&rows, file).join(&b'\n'), place.read(file).trim_ascii_end());
        }
        for receiver in 2..=4 {
            assert_eq!(
                place.read(&format!("out/receiver-000{receiver}.tsv")),
                place.read("out/receiver-0001.tsv")
            );
        }
        assert_table_tells(&table, &place.rows("out"));
    }
}

#[test]
fn broadcast_lines_longer_than_the_memory_go_through_it_one_by_one() {
    let place = Place::new();
    let long = |nth: u8| format!("{}\n", char::from(b'a' + nth).to_string().repeat(1 << 20));
    for nth in 0..3 {
        place.write(nth.to_string(), long(nth) + "short\n" + &long(nth + 3));
    }
    let limits = ["--memory", "64K", "--max-line", "1M"];
    let args = ["--by", "broadcast", "-n", "2", "-o", "out", "0", "1", "2"];
    place.route(limits.into_iter().chain(args)).succeeds();
    let rows = rows_in(&place.read("out/receiver-0001.tsv"), 1);
    assert_eq!(rows.len(), 9);
    assert_dense(&rows);
    assert_in_order(&rows);
    assert_eq!(place.read("out/receiver-0001.tsv"), place.read("out/receiver-0002.tsv"));
}

#[test]
fn a_broadcast_follows_a_silent_input() {
    let place = Place::new();
    place.write("a", "first\n");
    let mut child = start(&mut place.command(["--by", "broadcast", "-", "a"]));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || stdout.next().unwrap().unwrap();
    assert_eq!(next(), "1\ta\t1\tfirst");
    stdin.write_all(b"second\n").unwrap();
    assert_eq!(next(), "2\t-\t1\tsecond");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_signal_ends_a_broadcast_with_all_outputs_equal() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        let mut child = start(&mut place.command(["--by", "broadcast", "-n3", "-o", "out", "-"]));
        // More than any pipe holds: when it is written, most of it has been read.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(lines("stdin", 200_000).as_bytes()).unwrap();
        kill(&child, signal);
        let run = child.wait_with_output().unwrap();
        let table = table_in(&run.fails(code, "ed before the end").stderr);
        let rows = rows_in(&place.read("out/receiver-0001.tsv"), 1);
        assert!(rows.len() > 10_000);
        assert_dense(&rows);
        for receiver in ["2", "3"] {
            assert!(
                place.read(&format!("out/receiver-000{receiver}.tsv"))
                    == place.read("out/receiver-0001.tsv")
            );
        }
        assert_table_tells(&table, &place.rows("out"));
        drop(stdin); // It was open until here: nothing but the signal ended it.
    }
}

#[test]
fn a_broadcast_ends_when_its_outputs_are_full() {
    let place = Place::new();
    place.write("a", lines("a", 200_000));
    // A limit of a file's size stands for the full disk; with little memory the sender waits for those who fail.
    for memory in ["64M", "64K"] {
        let mut command = place.limited("trap '' XFSZ; ulimit -f 300");
        command.args(["--by", "broadcast", "-n", "3", "-f", "-o", "out", "--memory", memory, "a"]);
        let run = command.output().unwrap();
        let table = table_in(&run.fails(1, "out/receiver-000").stderr);
        assert_table_tells(&table, &place.rows("out"));
        assert_dense(&rows_in(&place.read("out/receiver-0001.tsv"), 1));
    }
}

#[test]
fn a_broadcast_of_several_receivers_needs_out_and_says_so() {
    let place = Place::new();
    place.write("a", "x\n");
    let run = place.route(["--by", "broadcast", "-n", "2", "a"]);
    assert!(run.fails(2, "--out DIR").stdout.is_empty());
    assert_eq!(place.route(["--by", "broadcast", "a"]).succeeds().stdout, b"1\ta\t1\tx\n");
}

#[test]
fn a_rule_and_a_key_that_do_not_fit_are_an_error_that_says_so() {
    let place = Place::new();
    place.write("a", "x\n");
    let wrong = BTreeMap::from([
        (vec!["--by", "hash"], "--by hash needs"),
        (vec!["--by", "round-robin", "-k", "1"], "--by round-robin looks at no field"),
        (vec!["--by", "broadcast", "-k", "1"], "--by broadcast looks at no field"),
        (vec!["--by", "broadcast", "-d", ","], "--key"),
        (vec!["--by", "lot"], "possible values: hash, round-robin, broadcast"),
    ]);
    for (args, message) in wrong {
        for rest in [vec!["a"], vec!["-n", "2", "-o", "out", "a"]] {
            place.route(args.iter().chain(&rest)).fails(2, message);
            assert!(!place.path("out").exists());
        }
    }
}
