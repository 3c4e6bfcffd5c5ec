//! `mainspring route` keeps its promises: each test runs the command and reads what it wrote.
//!
//! A [`Place`] is a temporary directory with inputs in it; the command runs there, so that names
//! are short. What it wrote is read back as [`Row`]s, sorted by number. Where a test must know that
//! the command is under way, it reads something that the command has written, or has a pipe that
//! is too small for what it writes into it. Tests of the rules of `--by`, and of several receivers on
//! standard output, have files of their own.

#![cfg(all(feature = "cli", not(loom), target_os = "linux"))]

#[path = "route/by.rs"]
mod by;
#[path = "route/merged.rs"]
mod merged;
#[path = "route/place.rs"]
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use place::{
    Ends, Place, assert_dense, assert_in_order, assert_table_tells, kill, lines, rows_in, start,
    table_in, texts_of,
};

#[test]
fn numbers_are_dense_over_all_outputs_and_keep_each_files_order() {
    let place = Place::new();
    let files: Vec<String> = (0..9).map(|nth| format!("{nth}.log")).collect();
    for (nth, file) in files.iter().enumerate() {
        place.write(file, lines(file, 40 + 700 * nth));
    }
    let args = ["--receivers", "4", "--key", "2", "--out", "out"];
    place.route(args.iter().copied().chain(files.iter().map(String::as_str))).succeeds();
    let rows = place.rows("out");
    assert_eq!(rows.len(), (0..9).map(|nth| 40 + 700 * nth).sum());
    assert_dense(&rows);
    assert_in_order(&rows);
    for file in &files {
        assert_eq!(texts_of(&rows, file).join(&b'\n'), place.read(file).trim_ascii_end());
    }
}

#[test]
fn equal_keys_meet_in_one_output_and_different_keys_are_spread() {
    let place = Place::new();
    place.write("a", (0..4000).map(|n| format!("{n} user-{}\n", n % 50)).collect::<String>());
    place
        .write("b", (0..3000).map(|n| format!(" {n}\t \tuser-{} x\n", n % 50)).collect::<String>());
    place.route(["-n", "3", "--key", "2", "--out", "out", "a", "b"]).succeeds();
    let mut outputs: BTreeMap<Vec<u8>, BTreeSet<usize>> = BTreeMap::new();
    for row in place.rows("out") {
        let words = row.text.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
        outputs.entry(words.clone().nth(1).unwrap().to_vec()).or_default().insert(row.output);
    }
    assert_eq!(outputs.len(), 50);
    assert!(outputs.values().all(|outputs| outputs.len() == 1));
    assert_eq!(outputs.into_values().flatten().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn a_field_may_be_delimited_by_any_character_and_a_missing_one_is_an_empty_key() {
    for (delimiter, c) in [(",", ','), ("\\t", '\t'), ("→", '→')] {
        let place = Place::new();
        let line = |n: usize| match n % 4 {
            0 => "short\n".to_owned(),
            1 => format!("{n}{c}{c}empty\n"),
            n => format!("x y{c}key {n}{c}more\r\n"),
        };
        place.write("a", (0..400).map(line).collect::<String>());
        place.route(["-n", "8", "-k", "2", "-d", delimiter, "-o", "out", "a"]).succeeds();
        let mut outputs = BTreeMap::<String, BTreeSet<usize>>::new();
        for row in place.rows("out") {
            let text = String::from_utf8(row.text).unwrap();
            let key = text.split(c).nth(1).unwrap_or_default().to_owned();
            outputs.entry(key).or_default().insert(row.output);
        }
        assert_eq!(outputs.len(), 3, "the missing field and the empty one are one key");
        assert!(outputs.values().all(|outputs| outputs.len() == 1));
    }
}

#[test]
fn without_a_key_the_receivers_take_turns() {
    let place = Place::new();
    place.write("a", lines("a", 100));
    place.write("b", lines("b", 101));
    place.route(["-n", "3", "-o", "out", "a", "b"]).succeeds();
    for receiver in 1..=3 {
        assert_eq!(place.rows("out").iter().filter(|row| row.output == receiver).count(), 67);
    }
}

#[test]
fn without_out_one_receiver_writes_to_standard_output() {
    let place = Place::new();
    place.write("a", "first\nlast");
    let run = place.route(["a"]);
    assert_eq!(run.succeeds().stdout, b"1\ta\t1\tfirst\n2\ta\t2\tlast\n");
}

#[test]
fn a_minus_is_standard_input() {
    let place = Place::new();
    place.write("a", "of a\n");
    place.write("in", "of stdin\n");
    let mut command = place.command(["-", "a"]);
    let run = command.stdin(place.open("in")).output().unwrap();
    let rows = rows_in(&run.succeeds().stdout, 1);
    assert_eq!(texts_of(&rows, "-"), [b"of stdin"]);
    assert_eq!(texts_of(&rows, "a"), [b"of a"]);
    place.route(["-", "a", "-"]).fails(2, "more than once");
}

#[test]
fn empty_files_have_no_lines_and_empty_lines_are_lines() {
    let place = Place::new();
    place.write("none", "");
    place.write("empty", "\n\n");
    place.route(["-o", "none-out", "-n", "2", "none", "none"]).succeeds();
    assert_eq!(place.rows("none-out").len(), 0);
    let run = place.route(["none", "empty", "none"]);
    assert_eq!(run.succeeds().stdout, b"1\tempty\t1\t\n2\tempty\t2\t\n");
}

#[test]
fn one_input_that_cannot_be_opened_ends_it_before_anything_is_written() {
    let place = Place::new();
    place.write("a", "x\n");
    symlink("nowhere", place.path("dangling")).unwrap();
    for bad in ["missing", "dangling", "a/below"] {
        for open in ["1", "64"] {
            let run = place.route(["-o", "out", "--open", open, "a", "a", bad]);
            assert!(run.fails(1, bad).stdout.is_empty());
            assert!(!place.path("out").exists());
        }
    }
}

#[test]
fn a_directory_is_no_input() {
    let place = Place::new();
    place.write("a", "x\n");
    fs::create_dir(place.path("dir")).unwrap();
    for open in ["1", "64"] {
        place.route(["-o", "out", "--open", open, "a", "dir"]).fails(1, "dir: is a directory");
        assert!(!place.path("out").exists());
    }
}

#[test]
fn an_input_that_cannot_be_read_on_is_named_and_the_rest_is_in_order() {
    let place = Place::new();
    place.write("a", "x\n");
    // It opens, and its first page is nobody's.
    place.route(["-o", "out", "a", "/proc/self/mem"]).fails(1, "/proc/self/mem");
    assert_dense(&place.rows("out"));
}

#[test]
fn an_earlier_runs_files_are_an_error_without_force() {
    let place = Place::new();
    place.write("a", "x\n");
    place.route(["-n", "3", "-o", "out", "a"]).succeeds();
    place.write("out/notes", "mine");
    let before = place.rows("out");
    place.route(["-o", "out", "--format", "json", "a"]).fails(1, "--force");
    assert_eq!(place.rows("out"), before);
    place.route(["-n", "2", "-o", "out", "--format", "json", "--force", "a"]).succeeds();
    let mut names: Vec<_> =
        fs::read_dir(place.path("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["notes", "receiver-0001.jsonl", "receiver-0002.jsonl"]);
}

#[test]
fn an_input_is_never_overwritten() {
    let place = Place::new();
    place.write("a", "x\n");
    place.route(["-o", "out", "a"]).succeeds();
    symlink("out/receiver-0001.tsv", place.path("alias")).unwrap();
    let before = place.read("out/receiver-0001.tsv");
    for input in ["out/receiver-0001.tsv", "./out/../alias"] {
        place.route(["-o", "out", "--force", "a", input]).fails(1, "would be overwritten");
        assert_eq!(place.read("out/receiver-0001.tsv"), before);
    }
    let stdout = File::options().append(true).open(place.path("a")).unwrap();
    let run = place.command(["a"]).stdout(stdout).output().unwrap();
    run.fails(1, "would be overwritten");
    assert_eq!(place.read("a"), b"x\n");
}

#[test]
fn in_tsv_all_bytes_pass_through_and_file_names_are_escaped() {
    let place = Place::new();
    let bytes: Vec<u8> = (0..=255).filter(|&byte| byte != b'\n').collect();
    place.write("a\tb\\c\nd", [&bytes[..], b"\r\n", &bytes[..]].concat());
    let run = place.route(["a\tb\\c\nd"]);
    let label = b"\ta\\tb\\\\c\\nd\t";
    let expected = [
        [b"1", &label[..], b"1\t", &bytes, b"\r\n"].concat(),
        [b"2", &label[..], b"2\t", &bytes, b"\n"].concat(),
    ];
    assert_eq!(run.succeeds().stdout, expected.concat());
}

#[test]
fn in_json_text_is_escaped_and_what_is_not_utf8_is_base64() {
    let place = Place::new();
    place.write("a\"b", b"q\"\\\t\x01\r \xc3\xa9\n\xff\xfe\x00\n".as_slice());
    place.write(OsStr::from_bytes(b"\xffname"), "x\n");
    let run = place.command(["--format", "json", "--open", "1", "a\"b"]);
    let run = { run }.arg(OsStr::from_bytes(b"\xffname")).output().unwrap();
    let expected = [
        r#"{"seq":1,"file":"a\"b","line":1,"text":"q\"\\\t\u0001\r é"}"#,
        r#"{"seq":2,"file":"a\"b","line":2,"base64":"//4A"}"#,
        r#"{"seq":3,"file_base64":"/25hbWU=","line":1,"text":"x"}"#,
    ];
    assert_eq!(
        String::from_utf8_lossy(&run.succeeds().stdout),
        expected.map(|s| format!("{s}\n")).concat()
    );
}

#[test]
fn a_line_beyond_max_line_ends_it_and_what_came_before_is_written() {
    for limit in [5, 300_000] {
        let place = Place::new();
        let fits = "y".repeat(limit);
        place.write("a", format!("{fits}\n{fits}y\nafter\n"));
        let run = place.route(["--max-line", &limit.to_string(), "a"]);
        let stdout = run.fails(1, "a: line 2 is longer than --max-line").stdout;
        assert_eq!(stdout, format!("1\ta\t1\t{fits}\n").as_bytes());
    }
}

#[test]
fn lines_longer_than_the_memory_go_through_it_one_by_one() {
    let place = Place::new();
    let text =
        |nth: usize| format!("{}\n", char::from(b'a' + nth as u8).to_string().repeat(1 << 20));
    for nth in 0..3 {
        place.write(nth.to_string(), text(nth) + "short\n" + &text(nth + 3));
    }
    let args = ["--memory", "64K", "--max-line", "1M", "-n", "2", "-o", "out", "0", "1", "2"];
    place.route(args).succeeds();
    let rows = place.rows("out");
    assert_dense(&rows);
    assert_in_order(&rows);
    for nth in 0..3 {
        let all = texts_of(&rows, &nth.to_string()).join(&b'\n');
        assert_eq!(all, (text(nth) + "short\n" + text(nth + 3).trim_end()).into_bytes());
    }
}

#[test]
fn fewer_files_are_open_at_once_than_there_are() {
    let place = Place::new();
    let files: Vec<String> = (0..300).map(|nth| format!("{nth}")).collect();
    for file in &files {
        place.write(file, lines(file, 3));
    }
    for open in ["1", "7"] {
        let args = ["-n", "2", "-o", "out", "--force", "--open", open];
        let mut command = place.limited("ulimit -n 40");
        let run = command.args(args).args(&files).output().unwrap();
        run.succeeds();
        let rows = place.rows("out");
        assert_eq!(rows.len(), 900);
        assert_dense(&rows);
        assert_in_order(&rows);
    }
    let mut command = place.limited("ulimit -n 40");
    command.args(["-o", "more"]).args(&files).output().unwrap().fails(1, "--open");
}

#[test]
fn a_full_disk_is_told_with_the_output_it_happened_to() {
    let place = Place::new();
    place.write("a", lines("a", 1000));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let run = place.command(["a"]).stdout(full).output().unwrap();
    run.fails(1, "standard output: No space left");

    // A limit of a file's size stands for the full disk. One key alone reaches it.
    let mut text = "few\n".repeat(10);
    text += &"many\n".repeat(100_000);
    place.write("b", text);
    let mut command = place.limited("trap '' XFSZ; ulimit -f 300");
    let run = command.args(["-n", "8", "-k", "1", "-o", "out", "b"]).output().unwrap();
    let table = table_in(&run.fails(1, "out/receiver-000").stderr);
    let rows = place.rows("out");
    assert_eq!(rows.iter().filter(|row| row.text == b"few").count(), 10);
    assert_table_tells(&table, &rows);
}

#[test]
fn a_pipe_closed_by_its_reader_ends_it_with_141() {
    let place = Place::new();
    place.write("a", lines("a", 100_000));
    for quiet in [false, true] {
        let mut command = place.command(if quiet { vec!["-q", "a"] } else { vec!["a"] });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::with_capacity(64, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert_eq!(first, "1\ta\t1\ta 0 user-0\n");
        let run = child.wait_with_output().unwrap();
        assert_eq!(run.status.code(), Some(141));
        assert_eq!(run.stderr.is_empty(), quiet);
    }
}

#[test]
fn a_signal_ends_it_with_its_code_and_the_table_tells_what_is_in_the_files() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        let mut command = place.command(["-n", "3", "-k", "2", "-o", "out", "-"]);
        let mut child = start(&mut command);
        // More than any pipe holds: when it is written, most of it has been read.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(lines("stdin", 200_000).as_bytes()).unwrap();
        kill(&child, signal);
        let run = child.wait_with_output().unwrap();
        let table = table_in(&run.fails(code, "ed before the end").stderr);
        let rows = place.rows("out");
        assert!(rows.len() > 10_000);
        assert_dense(&rows);
        assert_table_tells(&table, &rows);
        drop(stdin); // It was open until here: nothing but the signal ended it.
    }
}

#[test]
fn a_second_signal_ends_it_even_if_nobody_reads_its_output() {
    let place = Place::new();
    place.write("a", lines("a", 200_000));
    let mut child = start(&mut place.command(["a"]));
    let mut stdout = BufReader::with_capacity(64, child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    // The first two may arrive as one.
    let status = loop {
        kill(&child, "INT");
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
    };
    assert_eq!(status.signal(), Some(2));
}

#[test]
fn a_silent_input_holds_nobody_up_and_lines_come_out_soon() {
    let place = Place::new();
    place.write("a", lines("a", 3));
    let mut child = start(&mut place.command(["-", "a"]));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || stdout.next().unwrap().unwrap();
    for nth in 0..3 {
        assert_eq!(next(), format!("{}\ta\t{}\ta {nth} user-{nth}", nth + 1, nth + 1));
    }
    stdin.write_all(b"begun").unwrap();
    stdin.write_all(b" and ended\nlast").unwrap();
    assert_eq!(next(), "4\t-\t1\tbegun and ended");
    kill(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_named_pipe_is_read_once_however_late_its_turn() {
    let place = Place::new();
    place.write("a", lines("a", 10));
    assert!(Command::new("mkfifo").arg(place.path("fifo")).status().unwrap().success());
    let fifo = place.path("fifo");
    let writer = std::thread::spawn(move || fs::write(fifo, "from a pipe\n"));
    let rows = rows_in(&place.route(["--open", "1", "a", "fifo"]).succeeds().stdout, 1);
    writer.join().unwrap().unwrap();
    assert_eq!(texts_of(&rows, "fifo"), [b"from a pipe"]);
}

#[test]
fn quiet_says_nothing_and_otherwise_the_end_is_a_table() {
    let place = Place::new();
    place.write("a", lines("a", 11));
    assert!(place.route(["-q", "a"]).succeeds().stderr.is_empty());
    let run = place.route(["-n", "2", "-o", "out", "a"]);
    let table = table_in(&run.succeeds().stderr);
    assert_table_tells(&table, &place.rows("out"));
    assert_eq!(table["1"][..2], ["6", "68"].map(str::to_owned), "messages and bytes");
    assert_eq!(table["total"][0], "11");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(stderr.contains("messages/s") && stderr.contains("MB/s"));
}

#[test]
fn wrong_usage_is_told_by_clap_with_code_2() {
    let place = Place::new();
    place.write("a", "x\n");
    let wrong: [&[&str]; 8] = [
        &[],
        &["--receivers", "0", "a"],
        &["--key", "0", "a"],
        &["--delimiter", ",", "a"],
        &["--key", "1", "--delimiter", "ab", "a"],
        &["--force", "a"],
        &["--memory", "7Q", "a"],
        &["--max-line", "0", "a"],
    ];
    for args in wrong {
        place.route(args.iter().copied()).fails(2, "error:");
    }
}
