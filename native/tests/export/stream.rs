//! OTLP/JSON lines on an output: whole, in order, and once.

use crate::sending::{block_of, numbered_block, request, request_of};
use fapilog_native::block::{Block, Codec};
use fapilog_native::encode::Form;
use fapilog_native::export::http::answer::Answer;
use fapilog_native::export::http::Transport;
use fapilog_native::export::stream::{Output, StreamTransport};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

const DELIVERED: Answer = Answer::Delivered { rejected_records: 0, warning: None };

fn piped() -> (StreamTransport, UnixStream, UnixStream) {
    let (reader, writer) = UnixStream::pair().unwrap();
    let kept = writer.try_clone().unwrap();
    let open = move || Ok(File::from(writer.as_fd().try_clone_to_owned()?));
    (StreamTransport::to(Form::OtlpJson, "standard output", Box::new(open)), reader, kept)
}

fn requests(text: &str) -> Vec<ExportLogsServiceRequest> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn blocks_are_lines_in_order() {
    let (transport, mut reader, writer) = piped();
    let blocks = [numbered_block(1), numbered_block(2)];
    for block in &blocks {
        assert_eq!(transport.send(block).answer, DELIVERED);
    }
    drop((transport, writer));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(requests(&text), [request_of(&blocks[0]), request_of(&blocks[1])]);
}

#[test]
fn the_outputs_of_a_process_have_names_for_people() {
    assert_eq!([Output::Stdout, Output::Stderr].map(Output::name), ["standard output", "standard error"]);
}

#[test]
fn an_output_without_a_reader_refuses_records_for_good() {
    let (transport, reader, _writer) = piped();
    drop(reader);
    let cause = "standard output has no reader any more".to_owned();
    assert_eq!(transport.send(&numbered_block(1)).answer, Answer::Rejected { cause });
}

/// A block that no socket holds as a whole.
fn large_block(sequence: u64, letter: &str) -> Block {
    let body = letter.repeat(1_000_000);
    Block { sequence, ..block_of(&request(&[("scope".into(), vec![(body, 9)])]), Codec::Gzip) }
}

fn fill(transport: &StreamTransport, block: &Block) {
    let Answer::Retry { after: None, cause } = transport.send(block).answer else {
        panic!("it was all taken")
    };
    assert!(cause.starts_with("cannot write to standard output: "), "{cause}");
}

#[test]
fn a_reader_that_stops_for_long_gets_the_rest_of_the_block_later() {
    let (transport, mut reader, writer) = piped();
    writer.set_nonblocking(true).unwrap();
    let (given_up, kept) = (large_block(3, "x"), large_block(4, "y"));
    fill(&transport, &given_up);
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    assert_eq!(transport.send(&given_up).answer, DELIVERED);
    assert_eq!(transport.send(&kept).answer, DELIVERED);
    drop((transport, writer));
    assert_eq!(requests(&reading.join().unwrap()), [request_of(&given_up), request_of(&kept)]);
}

#[test]
fn a_block_that_is_given_up_half_written_spoils_no_line_but_its_own() {
    let (transport, mut reader, writer) = piped();
    writer.set_nonblocking(true).unwrap();
    fill(&transport, &large_block(3, "x"));
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    let next = large_block(4, "y");
    assert_eq!(transport.send(&next).answer, DELIVERED);
    drop((transport, writer));
    let text = reading.join().unwrap();
    let (torn, rest) = text.split_once('\n').unwrap();
    assert!(torn.starts_with("{\"resourceLogs\"") && torn.ends_with('x'));
    assert_eq!(requests(rest), [request_of(&next)]);
}
