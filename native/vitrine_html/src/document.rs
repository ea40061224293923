//! A document that is made safe in steps. No step takes long, so a caller can give up between two of them. The work
//! of all steps together is bounded.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::clean::{Cleaner, Pass};
use super::complete::{self, Completion};
use super::limit::{self, Budget};
use super::policy::Policy;
use super::read::{self, Node};
use super::shape::{self, Part};
use super::{Error, attributes, cleaners, write};

/// How often cleaning may change a document. Text that people write changes once, mangled text up to three times.
const PASSES: usize = 6;

/// A document, and how far cleaning it has come.
pub struct Document {
    policy: Policy,
    budget: Budget,
    changes: usize,
    /// `None` after an error.
    state: Option<State>,
}

enum State {
    /// The text was not scanned yet.
    New(String),
    /// The text is not strict, so a parser must read it.
    Loose(String),
    /// A parser must read it, and its limits allow that.
    Counted(String),
    /// The text is as the sanitiser writes it, and does not change any more.
    Clean(String),
}

impl Document {
    /// A new document, unless it is too long.
    pub fn new(html: impl Into<String>, policy: Policy) -> Result<Self, Error> {
        let html = html.into();
        if html.len() > policy.max_bytes {
            return Err(Error::TooLong);
        }
        Ok(Document {
            budget: Budget::new(html.len()),
            changes: 0,
            state: Some(State::New(html)),
            policy,
        })
    }

    /// Returns true if no step is left.
    pub fn is_clean(&self) -> bool {
        matches!(self.state, Some(State::Clean(_)))
    }

    /// Returns true if the remaining steps take only some tenths of a millisecond, as they do for a short document.
    pub fn is_nearly_clean(&self) -> bool {
        match &self.state {
            Some(State::New(text) | State::Loose(text) | State::Counted(text)) => {
                limit::is_small(text)
            }
            Some(State::Clean(_)) | None => true,
        }
    }

    /// Takes a step, if one is left.
    pub fn step(&mut self) -> Result<(), Error> {
        let state = self.state.take().ok_or(Error::Failed)?;
        let step = || {
            cleaners::with(&self.policy, |cleaner| {
                step(state, cleaner, &self.policy, &mut self.budget)
            })
        };
        // The author of a document may know more faults of the parser than the authors of the parser do.
        let state = catch_unwind(AssertUnwindSafe(step)).unwrap_or(Err(Error::Failed))?;
        if matches!(state, State::New(_)) {
            self.changes += 1;
            if self.changes > PASSES {
                return Err(Error::Unstable);
            }
        }
        self.state = Some(state);
        Ok(())
    }

    /// The document as safe HTML, once it is clean.
    pub fn to_html(&self) -> Result<String, Error> {
        self.with_nodes(write::document)
    }

    /// The document as parts, once it is clean.
    pub fn with_parts<R>(&self, make: impl FnOnce(&Part<'_>) -> R) -> Result<R, Error> {
        self.with_nodes(|nodes| make(&shape::document(nodes)))
    }

    fn with_nodes<R>(&self, make: impl FnOnce(&[Node<'_>]) -> R) -> Result<R, Error> {
        let Some(State::Clean(text)) = &self.state else {
            return Err(Error::Failed);
        };
        let completion = Completion {
            submit: attributes::event_prefix(&self.policy.namespace),
            target: self.policy.target.as_deref().map(complete::escape),
        };
        let mut nodes = read::nodes(text, self.policy.max_depth)?;
        completion.complete(&mut nodes);
        Ok(make(&nodes))
    }
}

fn step(
    state: State,
    cleaner: &Cleaner<'_>,
    limits: &Policy,
    budget: &mut Budget,
) -> Result<State, Error> {
    Ok(match state {
        State::New(text) => match cleaner.scan(&text, limits) {
            Some(cleaned) => State::Clean(cleaned?),
            None => State::Loose(text),
        },
        State::Loose(text) => {
            budget.spend(&text)?;
            State::Counted(text)
        }
        State::Counted(text) => match cleaner.pass(&text, limits)? {
            Pass::Same(cleaned) => State::Clean(cleaned),
            Pass::Changed(text) => State::New(text),
        },
        State::Clean(text) => State::Clean(text),
    })
}
