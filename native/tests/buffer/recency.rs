//! The list by last use against a plain vector: whatever is done, places and order are the same.

use fapilog_native::recency::Recency;
use proptest::prelude::*;

/// What a user of the list may do; numbers name a place among those that there are.
#[derive(Debug, Clone)]
enum Step {
    AddNewest,
    AddOldest,
    Touch(usize),
    Unlink(usize),
    LinkAgain(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::AddNewest),
        Just(Step::AddOldest),
        any::<usize>().prop_map(Step::Touch),
        any::<usize>().prop_map(Step::Unlink),
        any::<usize>().prop_map(Step::LinkAgain),
    ];
    proptest::collection::vec(step, 0..200)
}

/// The places from the oldest to the newest, each taken out as it is read.
fn drain(mut list: Recency<usize>) -> Vec<u32> {
    std::iter::from_fn(|| list.oldest().inspect(|place| list.unlink(*place))).collect()
}

fn choose(from: &[u32], number: usize) -> Option<usize> {
    (!from.is_empty()).then(|| number % from.len())
}

proptest! {
    #[test]
    fn places_stand_in_the_order_of_their_last_use(steps in steps()) {
        let mut list = Recency::default();
        let (mut linked, mut unlinked) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::AddNewest => {
                    let place = list.add(list.len());
                    list.link_newest(place);
                    linked.push(place);
                }
                Step::AddOldest => {
                    let place = list.add(list.len());
                    list.link_oldest(place);
                    linked.insert(0, place);
                }
                Step::Touch(number) => if let Some(index) = choose(&linked, number) {
                    let place = linked.remove(index);
                    list.touch(place);
                    linked.push(place);
                },
                Step::Unlink(number) => if let Some(index) = choose(&linked, number) {
                    let place = linked.remove(index);
                    list.unlink(place);
                    unlinked.push(place);
                },
                Step::LinkAgain(number) => if let Some(index) = choose(&unlinked, number) {
                    let place = unlinked.remove(index);
                    list.link_newest(place);
                    linked.push(place);
                },
            }
            prop_assert_eq!(list.oldest(), linked.first().copied());
            prop_assert_eq!(list.len(), linked.len() + unlinked.len());
        }
        for place in linked.iter().chain(&unlinked) {
            prop_assert_eq!(list[*place], *place as usize);
        }
        prop_assert_eq!(drain(list), linked);
    }
}
