//! The port to the part that runs cells, in memory: remembers what it was asked for.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use futures::future::BoxFuture;
use management::{CellControl, CellRef, CellState, CellUnavailable};

#[derive(Default)]
pub struct Cells {
    awake: Mutex<HashSet<CellRef>>,
    removed: Mutex<Vec<CellRef>>,
    claims: Mutex<HashMap<CellRef, String>>,
    broken: Mutex<bool>,
}

impl Cells {
    pub fn awake(&self) -> Vec<CellRef> {
        self.awake.lock().unwrap().iter().copied().collect()
    }

    pub fn removed(&self) -> Vec<CellRef> {
        self.removed.lock().unwrap().clone()
    }

    /// The keeper of this cell has an empty vault.
    pub fn set_claim(&self, cell: CellRef, claim: &str) {
        self.claims.lock().unwrap().insert(cell, claim.into());
    }

    pub fn break_down(&self) {
        *self.broken.lock().unwrap() = true;
    }

    fn check(&self) -> Result<(), CellUnavailable> {
        match *self.broken.lock().unwrap() {
            true => Err(CellUnavailable("Docker does not answer.".into())),
            false => Ok(()),
        }
    }
}

impl CellControl for Cells {
    fn wake(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            self.awake.lock().unwrap().insert(cell);
            Ok(())
        })
    }

    fn sleep(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            self.awake.lock().unwrap().remove(&cell);
            Ok(())
        })
    }

    fn remove(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            self.awake.lock().unwrap().remove(&cell);
            self.removed.lock().unwrap().push(cell);
            Ok(())
        })
    }

    fn state(&self, cell: CellRef) -> BoxFuture<'_, Result<CellState, CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            Ok(match self.awake.lock().unwrap().contains(&cell) {
                true => CellState::Awake,
                false => CellState::Asleep,
            })
        })
    }

    fn claim(&self, cell: CellRef) -> BoxFuture<'_, Result<Option<String>, CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            Ok(self.claims.lock().unwrap().get(&cell).cloned())
        })
    }
}
