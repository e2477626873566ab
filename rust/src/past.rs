//! The members of past epochs, kept apart from the message secrets they are stored with.
//!
//! OpenMLS writes all its message secrets with every message, and for each past epoch the whole
//! list of its members with their certificates: 3 MB per epoch in a group of a thousand. That list
//! never changes, so here it is left out of the secrets, written once in a row of its own, and put
//! back in when the secrets are read. What OpenMLS then reads is to the byte what it wrote.
//!
//! This leans on two names inside OpenMLS (`EpochTree`, its fields `epoch` and `leaves`). If they
//! should change, `split` says None and the value is written whole: slower, and as right.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::ser::{Error as _, Impossible, SerializeSeq, SerializeStruct, Serializer};

use crate::storage::{StorageError, decode, encode};

const STORE: &str = "MessageSecretsStore";
const TREES: &str = "past_epoch_trees";
const TREE: &str = "EpochTree";
const EPOCH: &str = "epoch";
const LEAVES: &str = "leaves";

/// Message secrets without the lists of members, and the lists that were not known yet.
#[derive(Default)]
pub struct Split {
    value: Vec<u8>,
    /// Where a list belongs in `value`, and of which epoch.
    places: Vec<(u64, u64)>,
    pub lists: Vec<(u64, Vec<u8>)>,
}

impl Split {
    pub fn epochs(&self) -> BTreeSet<u64> {
        self.places.iter().map(|(_, epoch)| *epoch).collect()
    }

    /// The places, then the value: what is stored.
    pub fn stored(&self) -> Result<Vec<u8>, StorageError> {
        let mut stored = encode(&self.places)?;
        stored.extend_from_slice(&self.value);
        Ok(stored)
    }
}

/// Take the lists out, but for those of `known` epochs not even look at them.
pub fn split<T: Serialize + ?Sized>(value: &T, known: &BTreeSet<u64>) -> Option<Split> {
    let mut split = Split::default();
    value
        .serialize(Splitter {
            split: &mut split,
            known,
            at: At::Store,
        })
        .ok()?;
    Some(split)
}

/// Put the lists back in.
pub fn join(stored: &[u8], list: impl Fn(u64) -> Option<Vec<u8>>) -> Result<Vec<u8>, StorageError> {
    let damaged = || StorageError::new("the secrets are not in order");
    let mut rest = stored;
    let places: Vec<(u64, u64)> =
        rmp_serde::from_read(&mut rest).map_err(|error| StorageError::new(error.to_string()))?;
    let mut value = Vec::with_capacity(rest.len());
    let mut done = 0;
    for (place, epoch) in places {
        let place = usize::try_from(place).map_err(|_| damaged())?;
        value.extend_from_slice(rest.get(done..place).ok_or_else(damaged)?);
        value.extend_from_slice(&list(epoch).ok_or_else(damaged)?);
        done = place;
    }
    value.extend_from_slice(&rest[done..]);
    Ok(value)
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    Store,
    Trees,
    Tree,
}

/// Serializes the store's outer shape itself and leaves all inside it to `encode`.
struct Splitter<'a> {
    split: &'a mut Split,
    known: &'a BTreeSet<u64>,
    at: At,
}

struct Fields<'a> {
    splitter: Splitter<'a>,
    epoch: Option<u64>,
}

type Done = Result<(), StorageError>;

impl serde::ser::Error for StorageError {
    fn custom<T: std::fmt::Display>(text: T) -> Self {
        Self::new(text.to_string())
    }
}

impl Splitter<'_> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.split.value.extend_from_slice(&encode(value)?);
        Ok(())
    }

    fn inner(&mut self, at: At) -> Splitter<'_> {
        Splitter {
            split: self.split,
            known: self.known,
            at,
        }
    }

    /// The head of a MessagePack map (0x80, 0xDE) or array (0x90, 0xDC).
    fn head(&mut self, short: u8, long: u8, len: usize) -> Done {
        let len = u16::try_from(len).map_err(StorageError::custom)?;
        match u8::try_from(len) {
            Ok(len @ 0..16) => self.split.value.push(short | len),
            _ => {
                self.split.value.push(long);
                self.split.value.extend_from_slice(&len.to_be_bytes());
            }
        }
        Ok(())
    }
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = StorageError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
        let splitter = &mut self.splitter;
        splitter.push(key)?;
        match (splitter.at, key) {
            (At::Store, TREES) => value.serialize(splitter.inner(At::Trees)),
            (At::Tree, EPOCH) => {
                self.epoch = Some(decode(&encode(value)?)?);
                splitter.push(value)
            }
            (At::Tree, LEAVES) => {
                let epoch = self.epoch.ok_or_else(unknown_shape)?;
                if !splitter.known.contains(&epoch) {
                    splitter.split.lists.push((epoch, encode(value)?));
                }
                let place = splitter.split.value.len() as u64;
                splitter.split.places.push((place, epoch));
                Ok(())
            }
            _ => splitter.push(value),
        }
    }

    fn end(self) -> Done {
        Ok(())
    }
}

impl SerializeSeq for Splitter<'_> {
    type Ok = ();
    type Error = StorageError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(self.inner(At::Tree))
    }

    fn end(self) -> Done {
        Ok(())
    }
}

fn unknown_shape() -> StorageError {
    StorageError::new("OpenMLS stores its message secrets in a shape we do not know")
}

macro_rules! refuse {
    ($($name:ident: $type:ty),*) => {
        $(fn $name(self, _: $type) -> Done {
            Err(unknown_shape())
        })*
    };
}

impl<'a> Serializer for Splitter<'a> {
    type Ok = ();
    type Error = StorageError;
    type SerializeSeq = Self;
    type SerializeStruct = Fields<'a>;
    type SerializeTuple = Impossible<(), StorageError>;
    type SerializeTupleStruct = Impossible<(), StorageError>;
    type SerializeTupleVariant = Impossible<(), StorageError>;
    type SerializeMap = Impossible<(), StorageError>;
    type SerializeStructVariant = Impossible<(), StorageError>;

    fn serialize_struct(
        mut self,
        name: &'static str,
        len: usize,
    ) -> Result<Fields<'a>, StorageError> {
        if !matches!((self.at, name), (At::Store, STORE) | (At::Tree, TREE)) {
            return Err(unknown_shape());
        }
        self.head(0x80, 0xDE, len)?;
        Ok(Fields {
            splitter: self,
            epoch: None,
        })
    }

    fn serialize_seq(mut self, len: Option<usize>) -> Result<Self, StorageError> {
        if self.at != At::Trees {
            return Err(unknown_shape());
        }
        self.head(0x90, 0xDC, len.ok_or_else(unknown_shape)?)?;
        Ok(self)
    }

    refuse!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_f32: f32, serialize_f64: f64, serialize_char: char,
        serialize_str: &str, serialize_bytes: &[u8], serialize_unit_struct: &'static str
    );

    fn serialize_none(self) -> Done {
        Err(unknown_shape())
    }

    fn serialize_unit(self) -> Done {
        Err(unknown_shape())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Done {
        Err(unknown_shape())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Done {
        Err(unknown_shape())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Done {
        Err(unknown_shape())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Done {
        Err(unknown_shape())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, StorageError> {
        Err(unknown_shape())
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, StorageError> {
        Err(unknown_shape())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, StorageError> {
        Err(unknown_shape())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, StorageError> {
        Err(unknown_shape())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, StorageError> {
        Err(unknown_shape())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use super::*;

    #[derive(Serialize)]
    struct MessageSecretsStore {
        max_epochs: usize,
        past_epoch_trees: VecDeque<EpochTree>,
        message_secrets: Vec<u8>,
    }

    #[derive(Serialize)]
    struct EpochTree {
        epoch: u64,
        message_secrets: Vec<u8>,
        leaves: Vec<Vec<u8>>,
    }

    fn store(epochs: std::ops::Range<u64>) -> MessageSecretsStore {
        MessageSecretsStore {
            max_epochs: 5,
            past_epoch_trees: epochs
                .map(|epoch| EpochTree {
                    epoch,
                    message_secrets: vec![7; 300],
                    leaves: vec![vec![u8::try_from(epoch % 256).unwrap_or(0); 2000]; 3],
                })
                .collect(),
            message_secrets: vec![1, 2, 3],
        }
    }

    #[test]
    fn split_and_joined_is_to_the_byte_what_was_written() {
        let mut lists = BTreeMap::new();
        for count in [0, 1, 5, 20] {
            let store = store(300..300 + count);
            let split = split(&store, &lists.keys().copied().collect()).unwrap();
            lists.extend(split.lists.clone());
            let joined = join(&split.stored().unwrap(), |epoch| lists.get(&epoch).cloned());
            assert_eq!(joined.unwrap(), encode(&store).unwrap());
            assert_eq!(split.epochs().len() as u64, count);
        }
    }

    #[test]
    fn a_missing_list_is_an_error() {
        let split = split(&store(0..2), &BTreeSet::new()).unwrap();
        assert!(join(&split.stored().unwrap(), |_| None).is_err());
    }

    #[test]
    fn another_shape_is_not_split() {
        assert!(split(&vec![1u8, 2], &BTreeSet::new()).is_none());
        assert!(split(&Some(5), &BTreeSet::new()).is_none());
    }
}
