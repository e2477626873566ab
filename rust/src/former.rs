//! Signature keys of members who left, or changed theirs, in the last epochs.
//!
//! A message may arrive some epochs late. OpenMLS checks it against its sender's leaf of that time
//! but names only the credential; the application needs the key as well, to check the two together.

use openmls::prelude::LeafNodeIndex;
use serde::{Deserialize, Serialize};

use crate::errors::Outcome;
use crate::provider::past_epochs;
use crate::storage::Storage;

#[derive(Serialize, Deserialize)]
struct Former {
    leaf: u32,
    last_epoch: u64,
    signature_key: Vec<u8>,
}

/// Remember keys that end with `epoch`; forget those no message can come from any more.
pub fn remember(
    storage: &Storage,
    epoch: u64,
    gone: impl IntoIterator<Item = (LeafNodeIndex, Vec<u8>)>,
) -> Outcome<()> {
    let mut all: Vec<Former> = storage.former()?;
    let before = all.len();
    all.retain(|former| former.last_epoch + past_epochs() as u64 > epoch);
    let pruned = all.len() != before;
    let kept = all.len();
    all.extend(gone.into_iter().map(|(leaf, signature_key)| Former {
        leaf: leaf.u32(),
        last_epoch: epoch,
        signature_key,
    }));
    if pruned || all.len() != kept {
        storage.write_former(&all)?;
    }
    Ok(())
}

/// The key a leaf had in an epoch, if it is not the one it has now.
pub fn recall(storage: &Storage, epoch: u64, leaf: LeafNodeIndex) -> Outcome<Option<Vec<u8>>> {
    let all: Vec<Former> = storage.former()?;
    Ok(all
        .into_iter()
        .filter(|former| former.leaf == leaf.u32() && former.last_epoch >= epoch)
        .min_by_key(|former| former.last_epoch)
        .map(|former| former.signature_key))
}
