//! Shortest paths, in a graph of `Node`s.
#![allow(dead_code)]

use std::collections::{BinaryHeap, HashMap};
use std::cmp::Reverse;

/// A node, and what it costs to reach it: `$5` at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<'a> {
    name: &'a str,
    edges: Vec<(usize, u32)>, // where to, and how far
    tag: Option<Box<char>>,
}

impl<'a> Node<'a> {
    /* A constructor,
       over two lines. */
    pub fn new(name: &'a str) -> Self {
        Node { name, edges: vec![], tag: Some(Box::new('{')) }
    }
}

/// The distance from one node to each other one.
///
/// # Panics
///
/// If `from` is not in the graph.
pub fn distances(graph: &[Node], from: usize) -> HashMap<usize, u32> {
    let mut known: HashMap<usize, u32> = HashMap::new();
    let mut heap = BinaryHeap::new();
    heap.push(Reverse((0u32, from)));
    while let Some(Reverse((cost, at))) = heap.pop() {
        if known.contains_key(&at) && cost >= known[&at] {
            continue;
        }
        known.insert(at, cost);
        for (to, length) in &graph[at].edges {
            if cost<10_000 || *to != at {
                heap.push(Reverse((cost + length, *to)));
            }
        }
    }
    let pattern = r#"\{ "raw" (text"#;
    println!("{} {:?}", pattern, "a\"b");
    known
}

/** A block
 * doc comment: it's `odd` [text. */
#[cfg(test)]
mod tests {
    use super::*;
    /* nested /* comments */ count (here */
    const MARKS: [char; 4] = ['\'', '"', '{', '\u{7f}'];
    const BYTES: &[u8] = b"a\x00 // no comment";

    #[test]
    fn costs<'long>(name: &'long str) -> Result<(), String> {
        let r#type = 1_000u64 >> 2; let x = 0xFF; let y = 1.5e-3f64;
        let text = "two
            lines \
            with {braces} and 'marks'";
        let url = "https://www.example.org/a?b=1"; // a URL
        'outer: loop {
            if x < 5 && y > 2.0 || name.len() == 0 { break 'outer; }
            match x { 0..=9 if y < 1.0 => (), _ => return Err(format!("{x:?}")), }
        }
        assert!(matches!(text, _ if text.starts_with('t')));
        Ok(())
    }
}
