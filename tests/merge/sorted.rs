//! A merge is the sort by number: any script of sends, passes, takes and ends.

use mainspring::{Drive, Engine, Event, Merge, Sender, Seq};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Goal: a merge equals the sort by number. Method: any script of sends, passes, takes and ends over
    /// some receivers, of which some are merged late.
    #[test]
    fn a_merge_equals_the_sort_by_number(
        script in proptest::collection::vec((0..6_usize, 0..5_usize), 0..200),
        late in 0..5_usize,
        batch in 1..9_usize,
    ) {
        let engine = Engine::builder()
            .capacity(16).inbox(2).drive(Drive::manual(|| {})).build().unwrap();
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..5).map(|_| engine.channel::<u64>()).unzip();
        let mut senders: Vec<Option<Sender<u64>>> = senders.into_iter().map(Some).collect();
        let mut receivers = receivers.into_iter();
        let early = Merge::new(receivers.by_ref().take(late)).unwrap();
        let mut all = early.merge(Merge::new(receivers).unwrap()).unwrap();
        let (mut sent, mut got) = (0, Vec::new());
        let mut told = Seq::ZERO;
        for (act, place) in script {
            match act {
                0..=2 => if let Some(tx) = &mut senders[place] {
                    sent += u64::from(tx.try_send(sent).is_ok());
                },
                3 => {
                    engine.pass();
                }
                4 => if let Ok(Event::Clock(seq)) = all.try_recv_event().map(|event| match event {
                    Event::Message(seq, value) => {
                        got.push((seq, value));
                        Event::Message(seq, ())
                    }
                    Event::Clock(seq) => Event::Clock(seq),
                    _ => unreachable!("no other event"),
                }) {
                    prop_assert!(seq > told);
                    told = seq;
                },
                _ if batch % 2 == 0 => senders[place] = None,
                _ => {
                    all.try_recv_batch(batch, |seq, value| got.push((seq, value))).ok();
                }
            }
            if let Some((seq, _)) = got.last() {
                told = told.max(*seq);
            }
            prop_assert!(all.caught_up_to() >= told);
        }
        drop(senders);
        engine.run_until_idle();
        while all.recv_batch(batch, |seq, value| got.push((seq, value))).is_ok() {
            engine.run_until_idle();
        }
        let numbers: Vec<u64> = got.iter().map(|(seq, _)| seq.get()).collect();
        prop_assert_eq!(numbers, (1..=sent).collect::<Vec<_>>());
        let mut values: Vec<u64> = got.into_iter().map(|(_, value)| value).collect();
        values.sort_unstable();
        prop_assert_eq!(values, (0..sent).collect::<Vec<_>>());
    }
}
