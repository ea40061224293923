//! The rules.

use extism_pdk::Error;
use serde::{Deserialize, Serialize};

const LINES: [[usize; 3]; 8] = [
    [0, 1, 2],
    [3, 4, 5],
    [6, 7, 8],
    [0, 3, 6],
    [1, 4, 7],
    [2, 5, 8],
    [0, 4, 8],
    [2, 4, 6],
];

#[derive(Serialize, Deserialize)]
pub struct Player {
    id: String,
    pub name: String,
    pub wins: u32,
}

/// A player is 0 or 1.
#[derive(Serialize, Deserialize)]
pub struct Game {
    /// Differs for each state.
    pub version: u64,
    pub players: Vec<Player>,
    pub board: [Option<usize>; 9],
    pub turn: usize,
    began: usize,
}

impl Game {
    pub fn new(ids: &[String], names: &[String]) -> Result<Game, Error> {
        if ids.len() != 2 {
            return Err(Error::msg("tic-tac-toe is for two players"));
        }
        let name = |i: usize| names.get(i).unwrap_or(&ids[i]).clone();
        let players = (0..2)
            .map(|i| Player {
                id: ids[i].clone(),
                name: name(i),
                wins: 0,
            })
            .collect();
        Ok(Game {
            version: 0,
            players,
            board: [None; 9],
            turn: 0,
            began: 0,
        })
    }

    pub fn player(&self, id: &str) -> Option<usize> {
        self.players.iter().position(|player| player.id == id)
    }

    pub fn play(&mut self, player: usize, cell: usize) -> Result<(), Error> {
        if self.is_over() {
            return Err(Error::msg("the game is over"));
        }
        if player != self.turn {
            return Err(Error::msg("it is not your turn"));
        }
        if self.board[cell].is_some() {
            return Err(Error::msg("that cell is taken"));
        }
        self.board[cell] = Some(player);
        self.turn = 1 - player;
        self.version += 1;
        if self.line().is_some() {
            self.players[player].wins += 1;
        }
        Ok(())
    }

    pub fn again(&mut self) -> Result<(), Error> {
        if !self.is_over() {
            return Err(Error::msg("the game is not over yet"));
        }
        self.board = [None; 9];
        self.began = 1 - self.began;
        self.turn = self.began;
        self.version += 1;
        Ok(())
    }

    /// Three in a row.
    pub fn line(&self) -> Option<[usize; 3]> {
        let [a, b, c] = *LINES.iter().find(|[a, b, c]| {
            self.board[*a].is_some()
                && self.board[*a] == self.board[*b]
                && self.board[*b] == self.board[*c]
        })?;
        Some([a, b, c])
    }

    pub fn winner(&self) -> Option<usize> {
        self.line().and_then(|[cell, ..]| self.board[cell])
    }

    pub fn is_over(&self) -> bool {
        self.line().is_some() || self.board.iter().all(Option::is_some)
    }
}
