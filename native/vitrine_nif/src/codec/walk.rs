//! Visits a term depth first and writes it to a sink, within a budget of work.

use rustler::{Atom, Binary, Encoder, MapIterator, Term, TermType};

use super::DEPTH;
use crate::atoms;

/// A format that is written. Binaries and atoms are written as text.
pub trait Sink {
    /// Whether all keys of maps are texts.
    const TEXT_KEYS: bool;

    fn nil(&mut self);
    fn boolean(&mut self, value: bool);
    fn signed(&mut self, value: i64);
    fn unsigned(&mut self, value: u64);
    fn float(&mut self, value: f64);
    fn text(&mut self, value: &str);
    fn begin_list(&mut self, length: u32);
    fn end_list(&mut self) {}
    fn begin_map(&mut self, length: u32);
    fn end_map(&mut self) {}
    /// Called before each element and entry but the first.
    fn next(&mut self) {}
    fn between_key_and_value(&mut self) {}
    /// The bytes that a struct stands for, if the format has such structs, and their type if they have one.
    fn bytes_of<'a>(_structure: Term<'a>) -> Option<(Option<i8>, Binary<'a>)> {
        None
    }
    fn bytes(&mut self, _type: Option<i8>, _bytes: &[u8]) {}
    fn finish(self) -> Vec<u8>;
}

/// Why writing ended early.
pub enum Stop<'a> {
    /// The term is more work than the budget allows.
    Large,
    Fault(Fault<'a>),
}

/// A term that cannot be written, and the path to it, innermost step first.
pub struct Fault<'a> {
    pub problem: Atom,
    pub term: Term<'a>,
    pub path: Vec<Term<'a>>,
}

impl<'a> Stop<'a> {
    fn fault(problem: Atom, term: Term<'a>) -> Self {
        Stop::Fault(Fault {
            problem,
            term,
            path: Vec::new(),
        })
    }

    fn at(mut self, step: impl FnOnce() -> Term<'a>) -> Self {
        if let Stop::Fault(fault) = &mut self {
            fault.path.push(step());
        }
        self
    }
}

type Written<'a> = Result<(), Stop<'a>>;

/// Writes a term.
pub fn write<S: Sink>(sink: S, term: Term<'_>, budget: usize) -> Result<Vec<u8>, Stop<'_>> {
    let mut walk = Walk { sink, budget };
    walk.value(term, 0)?;
    Ok(walk.sink.finish())
}

struct Walk<S> {
    sink: S,
    budget: usize,
}

impl<S: Sink> Walk<S> {
    fn spend<'a>(&mut self, work: usize) -> Written<'a> {
        self.budget = self.budget.checked_sub(work).ok_or(Stop::Large)?;
        Ok(())
    }

    fn value<'a>(&mut self, term: Term<'a>, depth: usize) -> Written<'a> {
        self.spend(1)?;
        match term.get_type() {
            TermType::Atom => self.atom(term),
            TermType::Binary => self.text(term),
            TermType::Integer => self.integer(term),
            TermType::Float => {
                let value = term.decode().map_err(|_| other(term))?;
                self.sink.float(value);
                Ok(())
            }
            TermType::List if depth < DEPTH => self.list(term, depth + 1),
            TermType::Map if depth < DEPTH => self.map(term, depth + 1),
            TermType::List | TermType::Map => Err(Stop::fault(atoms::depth(), term)),
            _ => Err(other(term)),
        }
    }

    fn atom<'a>(&mut self, term: Term<'a>) -> Written<'a> {
        if atoms::nil() == term {
            self.sink.nil();
        } else if let Ok(value) = term.decode::<bool>() {
            self.sink.boolean(value);
        } else {
            self.sink.text(&atom_text(term)?);
        }
        Ok(())
    }

    fn text<'a>(&mut self, term: Term<'a>) -> Written<'a> {
        let bytes = Binary::from_term(term).map_err(|_| other(term))?;
        self.spend(bytes.len() / 8)?;
        size(bytes.len(), term)?;
        let text = std::str::from_utf8(bytes.as_slice());
        self.sink
            .text(text.map_err(|_| Stop::fault(atoms::utf8(), term))?);
        Ok(())
    }

    fn integer<'a>(&mut self, term: Term<'a>) -> Written<'a> {
        if let Ok(value) = term.decode::<i64>() {
            self.sink.signed(value);
        } else if let Ok(value) = term.decode::<u64>() {
            self.sink.unsigned(value);
        } else {
            return Err(Stop::fault(atoms::integer(), term));
        }
        Ok(())
    }

    fn list<'a>(&mut self, list: Term<'a>, depth: usize) -> Written<'a> {
        let length = self.length(list)?;
        self.sink.begin_list(length);
        let (mut rest, mut index) = (list, 0_usize);
        while let Ok((head, tail)) = rest.list_get_cell() {
            if index > 0 {
                self.sink.next();
            }
            self.value(head, depth)
                .map_err(|stop| stop.at(|| index.encode(list.get_env())))?;
            (rest, index) = (tail, index + 1);
        }
        self.sink.end_list();
        Ok(())
    }

    /// Counts within the budget. The BEAM's own count would go through a list of any length.
    fn length<'a>(&mut self, list: Term<'a>) -> Result<u32, Stop<'a>> {
        let (mut rest, mut length) = (list, 0_usize);
        while let Ok((_, tail)) = rest.list_get_cell() {
            self.spend(1)?;
            (rest, length) = (tail, length + 1);
        }
        if !rest.is_empty_list() {
            return Err(Stop::fault(atoms::improper(), list));
        }
        size(length, list)
    }

    fn map<'a>(&mut self, map: Term<'a>, depth: usize) -> Written<'a> {
        if map.map_get(atoms::__struct__()).is_ok() {
            return self.structure(map);
        }
        let length = map.map_size().map_err(|_| other(map))?;
        self.spend(length)?;
        self.sink.begin_map(size(length, map)?);
        for (index, (key, value)) in entries(map).into_iter().enumerate() {
            if index > 0 {
                self.sink.next();
            }
            if S::TEXT_KEYS {
                self.text_key(key)?;
            } else {
                self.value(key, depth)?;
            }
            self.sink.between_key_and_value();
            self.value(value, depth)
                .map_err(|stop| stop.at(|| (key,).encode(map.get_env())))?;
        }
        self.sink.end_map();
        Ok(())
    }

    fn structure<'a>(&mut self, map: Term<'a>) -> Written<'a> {
        let bytes = S::bytes_of(map);
        let (r#type, bytes) = bytes.ok_or_else(|| Stop::fault(atoms::structure(), map))?;
        self.spend(bytes.len() / 64)?;
        size(bytes.len(), map)?;
        self.sink.bytes(r#type, bytes.as_slice());
        Ok(())
    }

    fn text_key<'a>(&mut self, key: Term<'a>) -> Written<'a> {
        self.spend(1)?;
        match key.get_type() {
            TermType::Binary => self.text(key),
            TermType::Atom => {
                self.sink.text(&atom_text(key)?);
                Ok(())
            }
            TermType::Integer => {
                let text = match (key.decode::<i64>(), key.decode::<u64>()) {
                    (Ok(value), _) => value.to_string(),
                    (_, Ok(value)) => value.to_string(),
                    _ => return Err(Stop::fault(atoms::integer(), key)),
                };
                self.sink.text(&text);
                Ok(())
            }
            _ => Err(Stop::fault(atoms::key(), key)),
        }
    }
}

/// The entries of a map. The iterator is large: it must not be in each frame of the recursion.
#[inline(never)]
fn entries(map: Term<'_>) -> Vec<(Term<'_>, Term<'_>)> {
    MapIterator::new(map).into_iter().flatten().collect()
}

/// The fault of a term that no format has: a tuple, a function, a pid and the like.
fn other(term: Term<'_>) -> Stop<'_> {
    Stop::fault(atoms::other(), term)
}

/// A length, if it fits the 32 bits that formats have for it.
fn size(length: usize, term: Term<'_>) -> Result<u32, Stop<'_>> {
    u32::try_from(length).map_err(|_| Stop::fault(atoms::size(), term))
}

fn atom_text(term: Term<'_>) -> Result<String, Stop<'_>> {
    if let Ok(text) = term.atom_to_string() {
        return Ok(text);
    }
    // NIFs of OTP 25 are told only the texts of atoms in Latin-1; the external term format has
    // all, here as 131, 118, two bytes of length or 131, 119, one byte.
    let external = term.to_binary();
    let text = match external.as_slice() {
        [131, 118, _, _, text @ ..] | [131, 119, _, text @ ..] => text,
        _ => return Err(other(term)),
    };
    let text = std::str::from_utf8(text).map_err(|_| other(term))?;
    Ok(text.to_owned())
}
