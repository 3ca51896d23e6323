//! Documents are cut into requests by their sizes, and found again by their numbers.

use fapilog_native::block::Codec;
use fapilog_native::encode::documents::{documents, Documents, Options, Shape};
use fapilog_native::seal::compress::{decompress, gzip};
use proptest::collection::vec;
use proptest::prelude::*;

/// Documents of these sizes.
fn of_sizes(sizes: &[usize]) -> Documents {
    let mut made = documents(&[], Shape::Hec, &Options::default());
    for (number, size) in sizes.iter().enumerate() {
        made.text.push_str(&"x".repeat(*size));
        made.offsets.push(made.text.len());
        made.records.push(number);
    }
    made
}

proptest! {
    #[test]
    fn a_request_takes_what_fits_and_one_document_at_least(
        sizes in vec(1..40usize, 0..30), start in 0..31usize, end in 0..31usize,
        max_bytes in 0..400usize, max_documents in 0..31usize,
    ) {
        let made = of_sizes(&sizes);
        let found = made.fitting(start, end, max_bytes, max_documents);
        if start >= end || end > sizes.len() {
            prop_assert_eq!(found, None);
            return Ok(());
        }
        let mut expected = start + 1;
        while expected < end
            && expected - start < max_documents
            && sizes[start..=expected].iter().sum::<usize>() <= max_bytes
        {
            expected += 1;
        }
        prop_assert_eq!(found, Some(expected));
        prop_assert_eq!(made.place(start, expected).unwrap().len(), sizes[start..expected].iter().sum::<usize>());
        let larger: Vec<_> = (0..sizes.len()).filter(|number| sizes[*number] > max_bytes).collect();
        prop_assert_eq!(made.larger_than(max_bytes).collect::<Vec<_>>(), larger);
    }

    #[test]
    fn what_a_thread_compresses_comes_back(bodies in vec(vec(any::<u8>(), 0..3_000), 1..5)) {
        for body in bodies {
            let packed = gzip(&body).unwrap();
            prop_assert_eq!(decompress(Codec::Gzip, &packed, body.len()).unwrap(), body);
        }
    }
}

#[test]
fn nothing_lies_outside() {
    let made = of_sizes(&[3, 4]);
    assert_eq!(made.place(0, 2), Some(0..7));
    assert_eq!(made.place(1, 1), Some(3..3));
    assert_eq!((made.place(2, 1), made.place(0, 3), made.place(usize::MAX, usize::MAX)), (None, None, None));
    assert_eq!(made.fitting(usize::MAX, usize::MAX, 1, usize::MAX), None);
    assert_eq!(made.fitting(0, 2, usize::MAX, usize::MAX), Some(2));
}
