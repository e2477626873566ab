//! Big values in pieces, so that a small change costs a small write.
//!
//! OpenMLS writes whole values: a message in a group of a thousand rewrites all its ratchets, a
//! commit the whole tree. A value above `WHOLE_BYTES` is cut where its *content* says so (a rolling
//! hash over the bytes; an insertion moves no later cut), each piece lies under its hash, and the
//! value's own row lists the hashes. What did not change is then not written again.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use crate::storage::{Change, Row, StorageError};

const WHOLE_BYTES: usize = 4096;
const PIECE_MIN_BYTES: usize = 512;
const PIECE_MAX_BYTES: usize = 8192;
/// A cut comes where these bits of the rolling hash are zero: every 2 KiB on average.
const CUT_MASK: u64 = 0x7FF << 48;

/// First byte of a row's value.
const WHOLE: u8 = 0;
const LIST: u8 = 1;
/// First byte of a piece's key; no `kind` of storage has it.
const PIECE: u8 = 0xFF;

const ID_BYTES: usize = 16;
type Id = [u8; ID_BYTES];
type Values = HashMap<Vec<u8>, Vec<u8>>;

/// Which pieces are written, by how many lists use them.
#[derive(Default)]
pub struct Chunks {
    lists: HashMap<Vec<u8>, Vec<Id>>,
    uses: HashMap<Id, usize>,
    /// Use counts that `replace` changed, with what they were when it began.
    touched: BTreeMap<Id, (usize, Option<Vec<u8>>)>,
}

impl Chunks {
    /// The values behind rows that `replace` and `sweep` gave out.
    pub fn load(rows: Vec<Row>) -> Result<(Self, Values), StorageError> {
        let damaged = || StorageError::new("a row is not in order");
        let mut pieces: HashMap<Id, Vec<u8>> = HashMap::new();
        let mut heads = Vec::new();
        for (key, value) in rows {
            match key.split_first() {
                Some((&PIECE, id)) => {
                    pieces.insert(id.try_into().map_err(|_| damaged())?, value);
                }
                Some(_) => heads.push((key, value)),
                None => return Err(damaged()),
            }
        }
        let mut chunks = Self::default();
        let mut values = Values::new();
        for (key, value) in heads {
            match value.split_first() {
                Some((&WHOLE, value)) => {
                    values.insert(key, value.to_vec());
                }
                Some((&LIST, list)) if list.len() % ID_BYTES == 0 => {
                    let mut whole = Vec::new();
                    let mut ids = Vec::new();
                    for id in list.chunks_exact(ID_BYTES) {
                        let id: Id = id.try_into().map_err(|_| damaged())?;
                        whole.extend_from_slice(pieces.get(&id).ok_or_else(damaged)?);
                        *chunks.uses.entry(id).or_default() += 1;
                        ids.push(id);
                    }
                    chunks.lists.insert(key.clone(), ids);
                    values.insert(key, whole);
                }
                _ => return Err(damaged()),
            }
        }
        Ok((chunks, values))
    }

    /// A value is now this one, or gone. Its own row goes into `changes`, its pieces with `sweep`.
    pub fn replace(&mut self, key: Vec<u8>, value: Option<&[u8]>, changes: &mut Vec<Change>) {
        for id in self.lists.remove(&key).unwrap_or_default() {
            self.count(id, None);
        }
        let row = value.map(|value| {
            if value.len() <= WHOLE_BYTES {
                return [&[WHOLE], value].concat();
            }
            let mut row = vec![LIST];
            let mut ids = Vec::new();
            for piece in cut(value) {
                let id = identify(piece);
                self.count(id, Some(piece));
                row.extend_from_slice(&id);
                ids.push(id);
            }
            self.lists.insert(key.clone(), ids);
            row
        });
        changes.push((key, row));
    }

    fn count(&mut self, id: Id, piece: Option<&[u8]>) {
        let uses = self.uses.entry(id).or_default();
        let before = self.touched.entry(id).or_insert((*uses, None));
        match piece {
            Some(piece) => {
                *uses += 1;
                if before.0 == 0 && before.1.is_none() {
                    before.1 = Some(piece.to_vec());
                }
            }
            None => *uses = uses.saturating_sub(1),
        }
    }

    /// The pieces that came or went.
    pub fn sweep(&mut self, changes: &mut Vec<Change>) {
        for (id, (before, piece)) in std::mem::take(&mut self.touched) {
            let now = self.uses.get(&id).copied().unwrap_or(0);
            if now == 0 {
                self.uses.remove(&id);
            }
            let key = [&[PIECE], &id[..]].concat();
            match (before, now) {
                (0, 1..) => changes.push((key, piece)),
                (1.., 0) => changes.push((key, None)),
                _ => {}
            }
        }
    }
}

fn identify(piece: &[u8]) -> Id {
    let mut id = Id::default();
    id.copy_from_slice(&Sha256::digest(piece)[..ID_BYTES]);
    id
}

/// Pieces of a value, cut by content.
fn cut(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let longest = rest.len().min(PIECE_MAX_BYTES);
        let mut hash = 0u64;
        let mut end = longest;
        // The hash forgets a byte after 64 more, so it may begin just before the shortest piece.
        let start = PIECE_MIN_BYTES.saturating_sub(64);
        for (at, byte) in rest.iter().enumerate().take(longest).skip(start) {
            hash = (hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
            if at >= PIECE_MIN_BYTES && hash & CUT_MASK == 0 {
                end = at;
                break;
            }
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

/// Random numbers of the rolling hash. They are part of no format: other ones cut elsewhere, that is all.
const GEAR: [u64; 256] = gear();

const fn gear() -> [u64; 256] {
    let mut table = [0u64; 256];
    let mut state = 0u64;
    let mut at = 0;
    while at < 256 {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        table[at] = z ^ (z >> 31);
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn apply(rows: &mut BTreeMap<Vec<u8>, Vec<u8>>, changes: Vec<Change>) {
        for (key, value) in changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
    }

    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 7u64;
        (0..bytes)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                u8::try_from(state >> 56).unwrap_or(0)
            })
            .collect()
    }

    #[test]
    fn what_was_written_is_loaded_again_and_nothing_is_left_over() {
        let mut chunks = Chunks::default();
        let mut rows = BTreeMap::new();
        let mut value = noise(100_000);
        for round in 0..50 {
            value.insert((round * 1999) % value.len(), 1);
            value.truncate(100_000 - round * 1000);
            let mut changes = Vec::new();
            chunks.replace(vec![5], Some(&value), &mut changes);
            chunks.replace(vec![6], Some(&value[..50_000]), &mut changes);
            chunks.replace(vec![7], Some(&value[..10]), &mut changes);
            chunks.sweep(&mut changes);
            apply(&mut rows, changes);
            let (loaded, values) = Chunks::load(rows.clone().into_iter().collect()).unwrap();
            assert_eq!(values[&vec![5u8]], value);
            assert_eq!(values[&vec![6u8]], value[..50_000]);
            assert_eq!(values[&vec![7u8]], value[..10]);
            assert_eq!(loaded.uses, chunks.uses);
            assert_eq!(rows.len(), 3 + loaded.uses.len());
        }
        let mut changes = Vec::new();
        for key in 5..8 {
            chunks.replace(vec![key], None, &mut changes);
        }
        chunks.sweep(&mut changes);
        apply(&mut rows, changes);
        assert!(rows.is_empty());
    }

    #[test]
    fn a_small_change_writes_little() {
        let mut chunks = Chunks::default();
        let mut value = noise(1_000_000);
        let mut changes = Vec::new();
        chunks.replace(vec![5], Some(&value), &mut changes);
        chunks.sweep(&mut changes);
        value.insert(500_000, 9);
        let mut changes = Vec::new();
        chunks.replace(vec![5], Some(&value), &mut changes);
        chunks.sweep(&mut changes);
        let pieces: usize = changes[1..]
            .iter()
            .filter_map(|change| change.1.as_ref().map(Vec::len))
            .sum();
        assert!(pieces < 3 * PIECE_MAX_BYTES, "{pieces}");
    }
}
