//! A group's (or a KeyPackage's) state as OpenMLS stores it: rows in memory, and what changed.
//!
//! One storage holds one group, so its id is in no key. Values are MessagePack with field names.
//! Every change is noted twice: for `take_changes`, which gives the caller the rows to write, and
//! for `rollback`, which undoes a call that failed. Big values go out in pieces (see `chunks`).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use rmp_serde::config::BytesMode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::chunks::Chunks;
use crate::past;

pub type Row = (Vec<u8>, Vec<u8>);
pub type Change = (Vec<u8>, Option<Vec<u8>>);
type Result<T> = std::result::Result<T, StorageError>;

/// First byte of a key: what the row is.
mod kind {
    pub const JOIN_CONFIG: u8 = 1;
    pub const OWN_LEAF_NODES: u8 = 2;
    pub const PROPOSAL_REFS: u8 = 3;
    pub const PROPOSAL: u8 = 4;
    pub const TREE: u8 = 5;
    pub const TRANSCRIPT_HASH: u8 = 6;
    pub const CONTEXT: u8 = 7;
    pub const CONFIRMATION_TAG: u8 = 8;
    pub const GROUP_STATE: u8 = 9;
    pub const MESSAGE_SECRETS: u8 = 10;
    pub const RESUMPTION_PSKS: u8 = 11;
    pub const OWN_LEAF: u8 = 12;
    pub const EPOCH_SECRETS: u8 = 13;
    pub const SIGNATURE_KEY: u8 = 14;
    pub const ENCRYPTION_KEY: u8 = 15;
    pub const EPOCH_KEYS: u8 = 16;
    pub const KEY_PACKAGE: u8 = 17;
    pub const PSK: u8 = 18;
    /// Ours: signature keys of members who left or changed (see `former`).
    pub const FORMER: u8 = 19;
    /// Ours: the members of a past epoch (see `past`).
    pub const PAST_MEMBERS: u8 = 20;
}

/// Bytes of a key after its kind: enough of a SHA-256 that no two meet.
const KEY_HASH_BYTES: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageError(String);

impl std::fmt::Display for StorageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StorageError {}

impl StorageError {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

#[derive(Default)]
pub struct Storage(RefCell<Rows>);

#[derive(Default)]
struct Rows {
    values: HashMap<Vec<u8>, Vec<u8>>,
    changed: BTreeSet<Vec<u8>>,
    /// While a call runs: what its keys were before it.
    undo: Option<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
    chunks: Chunks,
}

impl Storage {
    pub fn load(rows: Vec<Row>) -> Result<Self> {
        let (chunks, values) = Chunks::load(rows)?;
        Ok(Self(RefCell::new(Rows {
            values,
            chunks,
            ..Rows::default()
        })))
    }

    /// The rows to write or delete since the last time.
    pub fn take_changes(&self) -> Vec<Change> {
        let rows = &mut *self.0.borrow_mut();
        let mut changes = Vec::new();
        for key in std::mem::take(&mut rows.changed) {
            let value = rows.values.get(&key).map(Vec::as_slice);
            rows.chunks.replace(key, value, &mut changes);
        }
        rows.chunks.sweep(&mut changes);
        changes
    }

    /// From here on a call's changes can be undone.
    pub fn begin(&self) {
        self.0.borrow_mut().undo = Some(BTreeMap::new());
    }

    pub fn commit(&self) {
        self.0.borrow_mut().undo = None;
    }

    /// Undo what was changed since `begin`. Returns whether anything was.
    pub fn rollback(&self) -> bool {
        let rows = &mut *self.0.borrow_mut();
        let undo = rows.undo.take().unwrap_or_default();
        let touched = !undo.is_empty();
        for (key, value) in undo {
            // The key stays in `changed`: an equal row written once more does no harm.
            match value {
                Some(value) => rows.values.insert(key, value),
                None => rows.values.remove(&key),
            };
        }
        touched
    }

    /// Forget the KeyPackages that were put in from outside: the caller keeps them elsewhere.
    pub fn drop_key_packages(&self) {
        let rows = &mut *self.0.borrow_mut();
        let foreign = |key: &Vec<u8>| matches!(key[0], kind::KEY_PACKAGE | kind::ENCRYPTION_KEY);
        rows.values.retain(|key, _| !foreign(key));
        rows.changed.retain(|key| !foreign(key));
        rows.chunks = Chunks::default();
        rows.changed.extend(rows.values.keys().cloned());
    }

    pub fn former<T: DeserializeOwned + Default>(&self) -> Result<T> {
        Ok(self.get(vec![kind::FORMER])?.unwrap_or_default())
    }

    pub fn write_former<T: Serialize>(&self, former: &T) -> Result<()> {
        self.put(vec![kind::FORMER], former)
    }

    fn put_raw(&self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let rows = &mut *self.0.borrow_mut();
        if value.is_none() && !rows.values.contains_key(&key) {
            return;
        }
        let before = match value {
            Some(value) => rows.values.insert(key.clone(), value),
            None => rows.values.remove(&key),
        };
        if let Some(undo) = &mut rows.undo {
            undo.entry(key.clone()).or_insert(before);
        }
        rows.changed.insert(key);
    }

    fn put_bytes(&self, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        self.put_raw(key, Some(value));
        Ok(())
    }

    /// The past epochs whose members are here.
    fn past_epochs(&self) -> BTreeSet<u64> {
        let rows = self.0.borrow();
        let epoch = |key: &Vec<u8>| match key.split_first() {
            Some((&kind::PAST_MEMBERS, epoch)) => Some(u64::from_be_bytes(epoch.try_into().ok()?)),
            _ => None,
        };
        rows.values.keys().filter_map(epoch).collect()
    }

    fn put<T: Serialize + ?Sized>(&self, key: Vec<u8>, value: &T) -> Result<()> {
        self.put_raw(key, Some(encode(value)?));
        Ok(())
    }

    fn get<T: DeserializeOwned>(&self, key: Vec<u8>) -> Result<Option<T>> {
        self.0
            .borrow()
            .values
            .get(&key)
            .map(|value| decode(value))
            .transpose()
    }

    fn delete(&self, key: Vec<u8>) -> Result<()> {
        self.put_raw(key, None);
        Ok(())
    }
}

pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut out)
        .with_struct_map()
        .with_bytes(BytesMode::ForceAll);
    value
        .serialize(&mut serializer)
        .map_err(|error| StorageError(error.to_string()))?;
    Ok(out)
}

pub fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T> {
    rmp_serde::from_slice(value).map_err(|error| StorageError(error.to_string()))
}

/// First byte of the message secrets: whether the members of past epochs are in them.
const WHOLE: u8 = 0;
const SPLIT: u8 = 1;

fn tagged(tag: u8, mut value: Vec<u8>) -> Vec<u8> {
    value.insert(0, tag);
    value
}

fn past_members(epoch: u64) -> Vec<u8> {
    [&[kind::PAST_MEMBERS][..], &epoch.to_be_bytes()].concat()
}

/// The key of one of several rows of a kind.
fn keyed<K: Serialize>(kind: u8, name: &K) -> Result<Vec<u8>> {
    let mut key = vec![kind];
    key.extend_from_slice(&Sha256::digest(encode(name)?)[..KEY_HASH_BYTES]);
    Ok(key)
}

/// Writer, reader and deleter of what a group has once.
macro_rules! single {
    ($kind:ident, $bound:ident, $write:ident, $read:ident, $delete:ident) => {
        fn $write<G: traits::GroupId<CURRENT_VERSION>, T: traits::$bound<CURRENT_VERSION>>(
            &self,
            _: &G,
            value: &T,
        ) -> Result<()> {
            self.put(vec![kind::$kind], value)
        }

        fn $read<G: traits::GroupId<CURRENT_VERSION>, T: traits::$bound<CURRENT_VERSION>>(
            &self,
            _: &G,
        ) -> Result<Option<T>> {
            self.get(vec![kind::$kind])
        }

        single!($kind, $delete);
    };
    ($kind:ident, $delete:ident) => {
        fn $delete<G: traits::GroupId<CURRENT_VERSION>>(&self, _: &G) -> Result<()> {
            self.delete(vec![kind::$kind])
        }
    };
}

/// Writer and deleter of what lies under a key of its own.
macro_rules! many {
    ($kind:ident, $key:ident, $bound:ident, $write:ident, $delete:ident) => {
        fn $write<K: traits::$key<CURRENT_VERSION>, T: traits::$bound<CURRENT_VERSION>>(
            &self,
            key: &K,
            value: &T,
        ) -> Result<()> {
            self.put(keyed(kind::$kind, key)?, value)
        }

        fn $delete<K: traits::$key<CURRENT_VERSION>>(&self, key: &K) -> Result<()> {
            self.delete(keyed(kind::$kind, key)?)
        }
    };
}

impl StorageProvider<CURRENT_VERSION> for Storage {
    type Error = StorageError;

    single!(
        JOIN_CONFIG,
        MlsGroupJoinConfig,
        write_mls_join_config,
        mls_group_join_config,
        delete_group_config
    );
    single!(TREE, TreeSync, write_tree, tree, delete_tree);
    single!(
        TRANSCRIPT_HASH,
        InterimTranscriptHash,
        write_interim_transcript_hash,
        interim_transcript_hash,
        delete_interim_transcript_hash
    );
    single!(
        CONTEXT,
        GroupContext,
        write_context,
        group_context,
        delete_context
    );
    single!(
        CONFIRMATION_TAG,
        ConfirmationTag,
        write_confirmation_tag,
        confirmation_tag,
        delete_confirmation_tag
    );
    single!(
        RESUMPTION_PSKS,
        ResumptionPskStore,
        write_resumption_psk_store,
        resumption_psk_store,
        delete_all_resumption_psk_secrets
    );
    single!(
        OWN_LEAF,
        LeafNodeIndex,
        write_own_leaf_index,
        own_leaf_index,
        delete_own_leaf_index
    );
    single!(
        EPOCH_SECRETS,
        GroupEpochSecrets,
        write_group_epoch_secrets,
        group_epoch_secrets,
        delete_group_epoch_secrets
    );
    single!(MESSAGE_SECRETS, delete_message_secrets);
    single!(GROUP_STATE, delete_group_state);
    single!(OWN_LEAF_NODES, delete_own_leaf_nodes);

    many!(
        SIGNATURE_KEY,
        SignaturePublicKey,
        SignatureKeyPair,
        write_signature_key_pair,
        delete_signature_key_pair
    );
    many!(
        ENCRYPTION_KEY,
        EncryptionKey,
        HpkeKeyPair,
        write_encryption_key_pair,
        delete_encryption_key_pair
    );
    many!(
        KEY_PACKAGE,
        HashReference,
        KeyPackage,
        write_key_package,
        delete_key_package
    );
    many!(PSK, PskId, PskBundle, write_psk, delete_psk);

    fn signature_key_pair<
        K: traits::SignaturePublicKey<CURRENT_VERSION>,
        T: traits::SignatureKeyPair<CURRENT_VERSION>,
    >(
        &self,
        key: &K,
    ) -> Result<Option<T>> {
        self.get(keyed(kind::SIGNATURE_KEY, key)?)
    }

    fn encryption_key_pair<
        T: traits::HpkeKeyPair<CURRENT_VERSION>,
        K: traits::EncryptionKey<CURRENT_VERSION>,
    >(
        &self,
        key: &K,
    ) -> Result<Option<T>> {
        self.get(keyed(kind::ENCRYPTION_KEY, key)?)
    }

    fn key_package<
        K: traits::HashReference<CURRENT_VERSION>,
        T: traits::KeyPackage<CURRENT_VERSION>,
    >(
        &self,
        key: &K,
    ) -> Result<Option<T>> {
        self.get(keyed(kind::KEY_PACKAGE, key)?)
    }

    fn psk<T: traits::PskBundle<CURRENT_VERSION>, K: traits::PskId<CURRENT_VERSION>>(
        &self,
        key: &K,
    ) -> Result<Option<T>> {
        self.get(keyed(kind::PSK, key)?)
    }

    fn write_message_secrets<
        G: traits::GroupId<CURRENT_VERSION>,
        T: traits::MessageSecrets<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        value: &T,
    ) -> Result<()> {
        let known = self.past_epochs();
        let Some(split) = past::split(value, &known) else {
            return self.put_bytes(vec![kind::MESSAGE_SECRETS], tagged(WHOLE, encode(value)?));
        };
        for epoch in known.difference(&split.epochs()) {
            self.delete(past_members(*epoch))?;
        }
        for (epoch, list) in &split.lists {
            self.put_bytes(past_members(*epoch), list.clone())?;
        }
        self.put_bytes(vec![kind::MESSAGE_SECRETS], tagged(SPLIT, split.stored()?))
    }

    fn message_secrets<
        G: traits::GroupId<CURRENT_VERSION>,
        T: traits::MessageSecrets<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
    ) -> Result<Option<T>> {
        let rows = self.0.borrow();
        let Some(value) = rows.values.get([kind::MESSAGE_SECRETS].as_slice()) else {
            return Ok(None);
        };
        match value.split_first() {
            Some((&WHOLE, value)) => decode(value),
            Some((&SPLIT, value)) => decode(&past::join(value, |epoch| {
                rows.values.get(&past_members(epoch)).cloned()
            })?),
            _ => Err(StorageError::new("the secrets are not in order")),
        }
        .map(Some)
    }

    fn write_group_state<
        T: traits::GroupState<CURRENT_VERSION>,
        G: traits::GroupId<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        value: &T,
    ) -> Result<()> {
        self.put(vec![kind::GROUP_STATE], value)
    }

    fn group_state<T: traits::GroupState<CURRENT_VERSION>, G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<Option<T>> {
        self.get(vec![kind::GROUP_STATE])
    }

    fn append_own_leaf_node<
        G: traits::GroupId<CURRENT_VERSION>,
        T: traits::LeafNode<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        node: &T,
    ) -> Result<()> {
        let nodes: Vec<T> = self.own_leaf_nodes(group)?;
        let nodes: Vec<&T> = nodes.iter().chain([node]).collect();
        self.put(vec![kind::OWN_LEAF_NODES], &nodes)
    }

    fn own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>, T: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<Vec<T>> {
        Ok(self.get(vec![kind::OWN_LEAF_NODES])?.unwrap_or_default())
    }

    fn queue_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        P: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        reference: &R,
        proposal: &P,
    ) -> Result<()> {
        self.put(keyed(kind::PROPOSAL, reference)?, proposal)?;
        let references: Vec<R> = self.queued_proposal_refs(group)?;
        let references: Vec<&R> = references.iter().chain([reference]).collect();
        self.put(vec![kind::PROPOSAL_REFS], &references)
    }

    fn queued_proposal_refs<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
    ) -> Result<Vec<R>> {
        Ok(self.get(vec![kind::PROPOSAL_REFS])?.unwrap_or_default())
    }

    fn queued_proposals<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        P: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<Vec<(R, P)>> {
        let references: Vec<R> = self.queued_proposal_refs(group)?;
        references
            .into_iter()
            .map(|reference| {
                let proposal = self
                    .get(keyed(kind::PROPOSAL, &reference)?)?
                    .ok_or_else(|| StorageError::new("a proposal is missing"))?;
                Ok((reference, proposal))
            })
            .collect()
    }

    fn remove_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        reference: &R,
    ) -> Result<()> {
        let gone = encode(reference)?;
        let mut kept: Vec<R> = Vec::new();
        for other in self.queued_proposal_refs::<G, R>(group)? {
            if encode(&other)? != gone {
                kept.push(other);
            }
        }
        self.put(vec![kind::PROPOSAL_REFS], &kept)?;
        self.delete(keyed(kind::PROPOSAL, reference)?)
    }

    fn clear_proposal_queue<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<()> {
        for reference in self.queued_proposal_refs::<G, R>(group)? {
            self.delete(keyed(kind::PROPOSAL, &reference)?)?;
        }
        self.delete(vec![kind::PROPOSAL_REFS])
    }

    fn write_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        T: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        epoch: &E,
        leaf: u32,
        pairs: &[T],
    ) -> Result<()> {
        self.put(epoch_keys(epoch, leaf)?, pairs)
    }

    fn encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        T: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<Vec<T>> {
        Ok(self.get(epoch_keys(epoch, leaf)?)?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<()> {
        self.delete(epoch_keys(epoch, leaf)?)
    }
}

fn epoch_keys<E: traits::EpochKey<CURRENT_VERSION>>(epoch: &E, leaf: u32) -> Result<Vec<u8>> {
    let mut key = keyed(kind::EPOCH_KEYS, epoch)?;
    key.extend_from_slice(&leaf.to_be_bytes());
    Ok(key)
}
