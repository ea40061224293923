//! A program behind a port, with packets of a length of four bytes and so many more: answers each with
//! itself, or, started with `count_vowels`, with the number of its vowels in decimal digits.

use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let count = std::env::args().nth(1).as_deref() == Some("count_vowels");
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let (mut length, mut packet) = ([0; 4], Vec::new());
    loop {
        match input.read_exact(&mut length) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        packet.resize(u32::from_be_bytes(length) as usize, 0);
        input.read_exact(&mut packet)?;
        if count {
            packet = vowels(&packet).to_string().into_bytes();
        }
        // In one write, as a packet that is sent in two costs twice.
        let mut answer = (packet.len() as u32).to_be_bytes().to_vec();
        answer.extend(&packet);
        output.write_all(&answer)?;
        output.flush()?;
    }
}

fn vowels(text: &[u8]) -> usize {
    text.iter().filter(|c| b"aeiouAEIOU".contains(c)).count()
}
