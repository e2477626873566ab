//! A group: its state, and the calls that change it.
//!
//! Each call either succeeds or changes nothing: `State::change` undoes the rows a failed call
//! wrote and loads the group from them again.

use std::collections::BTreeSet;

use openmls::group::{
    CreateMessageError, ExternalCommitBuilder, GroupId, JoinBuilder, MlsGroup, MlsGroupStateError,
    ProcessedWelcome, StagedCommit, StagedWelcome,
};
use openmls::prelude::{
    Ciphersuite, LeafNodeIndex, LeafNodeParameters, MlsMessageBodyIn, MlsMessageOut,
    PreSharedKeyProposal, Proposal,
};
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_traits::OpenMlsProvider;
use openmls_traits::storage::StorageProvider;

use crate::credential::{Chain, chain, with_key};
use crate::errors::{Fault, Kind, Outcome};
use crate::former;
use crate::guard::guarded;
use crate::key_package::{encoded, message, parse_welcome, validate};
use crate::provider::{
    Provider, capabilities, context_extensions, join_config, past_epochs, ratchets, room_state,
    suite, wire_format,
};
use crate::signer::DeviceKey;
use crate::storage::{Row, Storage};

pub struct State {
    pub provider: Provider,
    pub group: MlsGroup,
    /// Another member's commit, looked at and not yet merged. Never stored.
    pub staged: Option<Staged>,
    /// A failed call could not be undone; nothing but loading again helps.
    broken: bool,
}

pub struct Staged {
    pub commit: Box<StagedCommit>,
    /// Whose it is, unless they are only coming in by it.
    pub committer: Option<LeafNodeIndex>,
}

pub struct Member {
    pub index: u32,
    pub chain: Chain,
    pub signature_key: Vec<u8>,
}

#[derive(Default)]
pub struct CommitOrder {
    pub add: Vec<Vec<u8>>,
    pub remove: Vec<u32>,
    pub room_state: Option<Vec<u8>>,
    pub psk_ids: Vec<Vec<u8>>,
    pub chain: Option<Chain>,
    pub aad: Vec<u8>,
    pub want_group_info: bool,
}

pub struct NewCommit {
    pub commit: Vec<u8>,
    pub welcome: Option<Vec<u8>>,
    pub group_info: Option<Vec<u8>>,
}

impl State {
    fn new(provider: Provider, group: MlsGroup) -> Self {
        Self {
            provider,
            group,
            staged: None,
            broken: false,
        }
    }

    pub fn load(group_id: &[u8], rows: Vec<Row>) -> Outcome<Self> {
        let provider = Provider::new(Storage::load(rows)?);
        let group = load(&provider, &GroupId::from_slice(group_id))?;
        Ok(Self::new(provider, group))
    }

    /// RFC 9420 §11.
    pub fn create(
        signer: &DeviceKey,
        chain: Chain,
        group_id: &[u8],
        room_state: Vec<u8>,
        suite_number: u16,
    ) -> Outcome<Self> {
        let provider = Provider::new(Storage::default());
        let group = MlsGroup::builder()
            .with_group_id(GroupId::from_slice(group_id))
            .ciphersuite(suite(suite_number)?)
            .with_capabilities(capabilities())
            .with_group_context_extensions(context_extensions(room_state)?)
            .with_wire_format_policy(wire_format())
            .padding_size(0)
            .max_past_epochs(past_epochs())
            .use_ratchet_tree_extension(true)
            .sender_ratchet_configuration(ratchets())
            .build(&provider, signer, with_key(signer, chain)?)
            .map_err(|error| Fault::because(Kind::Internal, "the group cannot be made", error))?;
        Ok(Self::new(provider, group))
    }

    /// RFC 9420 §12.4.3.1. Leaves may be older than their KeyPackage's lifetime, which only says
    /// until when it may be used to add somebody; so lifetimes are not looked at.
    pub fn join(welcome: &[u8], key_package_rows: Vec<Row>) -> Outcome<Self> {
        let provider = Provider::new(Storage::load(key_package_rows)?);
        let welcome = parse_welcome(welcome)?;
        suite(welcome.ciphersuite() as u16)?;
        let processed = ProcessedWelcome::new_from_welcome(&provider, &join_config(), welcome)?;
        let staged: StagedWelcome = JoinBuilder::new(&provider, processed)
            .skip_lifetime_validation()
            .build()?;
        let group = staged.into_group(&provider)?;
        provider.storage.drop_key_packages();
        let state = Self::new(provider, group);
        state.check_everyone()?;
        Ok(state)
    }

    /// RFC 9420 §12.4.3.2, with a pre-shared key (§8.4).
    pub fn join_external(
        signer: &DeviceKey,
        chain: Chain,
        group_info: &[u8],
        psk: Option<(Vec<u8>, Vec<u8>)>,
        aad: Vec<u8>,
    ) -> Outcome<(Self, Vec<u8>)> {
        let MlsMessageBodyIn::GroupInfo(info) = message(group_info)? else {
            return Err(Fault::malformed("a GroupInfo"));
        };
        let suite: Ciphersuite = suite(info.ciphersuite() as u16)?;
        let provider = Provider::new(Storage::default());
        let leaf = LeafNodeParameters::builder()
            .with_capabilities(capabilities())
            .build();
        let mut builder = ExternalCommitBuilder::new()
            .with_config(join_config())
            .with_aad(aad)
            .skip_lifetime_validation()
            .build_group(&provider, info, with_key(signer, chain)?)?
            .leaf_node_parameters(leaf);
        let psk_id = match psk {
            Some((id, secret)) => {
                let id = psk_id(id, suite, &provider)?;
                id.store(&provider, &secret)?;
                builder = builder.add_psk_proposal(PreSharedKeyProposal::new(id.clone()));
                Some(id)
            }
            None => None,
        };
        let (group, bundle) = builder
            .load_psks(&provider.storage)?
            .create_group_info(false)
            .build(provider.rand(), provider.crypto(), signer, |_| true)?
            .finalize(&provider)
            .map_err(|error| {
                Fault::because(
                    Kind::InvalidCommit,
                    "the external commit cannot be made",
                    error,
                )
            })?;
        if let Some(id) = psk_id {
            provider.storage.delete_psk(id.psk())?;
        }
        let commit = encoded(bundle.commit())?;
        let state = Self::new(provider, group);
        state.check_everyone()?;
        Ok((state, commit))
    }

    /// Everything in a group we come into has the shape of ours.
    fn check_everyone(&self) -> Outcome<()> {
        room_state(self.group.public_group().group_context())?;
        self.members().map(|_| ())
    }

    /// Run a call that changes nothing.
    pub fn look<T>(&self, call: impl FnOnce(&Self) -> Outcome<T>) -> Outcome<T> {
        self.check_whole()?;
        guarded(|| call(self))
    }

    /// Run a call that, if it fails, has changed nothing.
    pub fn change<T>(&mut self, call: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.check_whole()?;
        self.provider.refresh();
        self.provider.storage.begin();
        match guarded(|| call(self)) {
            Ok(result) => {
                self.provider.storage.commit();
                Ok(result)
            }
            Err(fault) => {
                let touched = self.provider.storage.rollback();
                self.group.set_aad(Vec::new());
                if touched || fault.kind == Kind::Internal {
                    self.staged = None;
                    let group_id = self.group.group_id().clone();
                    match guarded(|| load(&self.provider, &group_id)) {
                        Ok(group) => self.group = group,
                        Err(_) => self.broken = true,
                    }
                }
                Err(fault)
            }
        }
    }

    fn check_whole(&self) -> Outcome<()> {
        if self.broken {
            return Err(Fault::new(
                Kind::DamagedState,
                "a call failed midway; the group has to be loaded again",
            ));
        }
        Ok(())
    }

    pub fn members(&self) -> Outcome<Vec<Member>> {
        self.group.members().map(Member::of).collect()
    }

    pub fn member(&self, index: LeafNodeIndex) -> Outcome<Member> {
        let member = self.group.member_at(index).ok_or_else(not_in_group)?;
        Member::of(member)
    }

    pub fn leaf_of(&self, signature_key: &[u8]) -> Option<u32> {
        self.group
            .members()
            .find(|member| member.signature_key == signature_key)
            .map(|member| member.index.u32())
    }

    /// The leaf's own key (RFC 9420 §7.2): another one after each Commit of its device, and after
    /// each time it was added.
    pub fn leaf_key(&self, leaf: u32) -> Outcome<Vec<u8>> {
        let member = self.group.member_at(LeafNodeIndex::new(leaf));
        Ok(member.ok_or_else(not_in_group)?.encryption_key)
    }

    pub fn room_state(&self) -> Outcome<Vec<u8>> {
        room_state(self.group.public_group().group_context())
    }

    pub fn encrypt(
        &mut self,
        signer: &DeviceKey,
        plaintext: &[u8],
        aad: Vec<u8>,
    ) -> Outcome<Vec<u8>> {
        self.group.set_aad(aad);
        let message = self.group.create_message(&self.provider, signer, plaintext);
        self.group.set_aad(Vec::new());
        encoded(&message.map_err(|error| match error {
            CreateMessageError::GroupStateError(error) => error.into(),
            other => Fault::because(Kind::Internal, "the message cannot be encrypted", other),
        })?)
    }

    /// All of an order in one Commit, with an update path (RFC 9420 §12.4.1).
    pub fn commit(&mut self, signer: &DeviceKey, order: CommitOrder) -> Outcome<NewCommit> {
        self.check_may_commit()?;
        let add = order
            .add
            .iter()
            .map(|bytes| validate(bytes, &self.provider))
            .collect::<Outcome<Vec<_>>>()?;
        let remove: BTreeSet<u32> = order.remove.into_iter().collect();
        for leaf in &remove {
            self.group
                .member_at(LeafNodeIndex::new(*leaf))
                .ok_or_else(not_in_group)?;
        }
        let suite = self.group.ciphersuite();
        let psks = order
            .psk_ids
            .into_iter()
            .map(|id| psk_proposal(id, suite, &self.provider))
            .collect::<Outcome<Vec<_>>>()?;
        let mut leaf = LeafNodeParameters::builder();
        if let Some(chain) = order.chain {
            leaf = leaf.with_credential_with_key(with_key(signer, chain)?);
        }
        self.group.set_aad(order.aad);
        let mut builder = self
            .group
            .commit_builder()
            .consume_proposal_store(false)
            .force_self_update(true)
            .leaf_node_parameters(leaf.build())
            .propose_adds(add)
            .propose_removals(remove.into_iter().map(LeafNodeIndex::new))
            .add_proposals(psks);
        if let Some(state) = order.room_state {
            builder = builder.propose_group_context_extensions(context_extensions(state)?)?;
        }
        let bundle = builder
            .load_psks(&self.provider.storage)?
            .create_group_info(order.want_group_info)
            .build(self.provider.rand(), self.provider.crypto(), signer, |_| {
                true
            })?
            .stage_commit(&self.provider)
            .map_err(|error| Fault::because(Kind::Internal, "the commit cannot be made", error))?;
        let (commit, welcome, group_info) = bundle.into_messages();
        Ok(NewCommit {
            commit: encoded(&commit)?,
            welcome: welcome.as_ref().map(encoded).transpose()?,
            group_info: group_info.as_ref().map(encoded).transpose()?,
        })
    }

    fn check_active(&self) -> Outcome<()> {
        if !self.group.is_active() {
            return Err(MlsGroupStateError::UseAfterEviction.into());
        }
        Ok(())
    }

    fn check_may_commit(&self) -> Outcome<()> {
        self.check_active()?;
        if self.group.pending_commit().is_some() {
            return Err(MlsGroupStateError::PendingCommit.into());
        }
        Ok(())
    }

    pub fn merge_pending(&mut self) -> Outcome<()> {
        let Some(pending) = self.group.pending_commit() else {
            return Err(MlsGroupStateError::NoPendingCommit.into());
        };
        let gone = self.leaving(pending, Some(self.group.own_leaf_index()));
        former::remember(&self.provider.storage, self.group.epoch().as_u64(), gone)?;
        self.staged = None;
        self.group
            .merge_pending_commit(&self.provider)
            .map_err(|error| {
                Fault::because(Kind::Internal, "the pending commit cannot be merged", error)
            })
    }

    pub fn discard_pending(&mut self) -> Outcome<()> {
        Ok(self.group.clear_pending_commit(&self.provider.storage)?)
    }

    /// Our own pending commit, if any, has lost and goes.
    pub fn merge_staged(&mut self) -> Outcome<()> {
        let Staged { commit, committer } = self.staged.take().ok_or_else(|| {
            Fault::new(
                Kind::WrongState,
                "no commit of another member is staged in the group",
            )
        })?;
        self.discard_pending()?;
        let gone = self.leaving(&commit, committer);
        former::remember(&self.provider.storage, self.group.epoch().as_u64(), gone)?;
        self.group
            .merge_staged_commit(&self.provider, *commit)
            .map_err(|error| {
                Fault::because(Kind::Internal, "the staged commit cannot be merged", error)
            })
    }

    /// Which signature keys end with a commit, and where.
    fn leaving(
        &self,
        commit: &StagedCommit,
        committer: Option<LeafNodeIndex>,
    ) -> Vec<(LeafNodeIndex, Vec<u8>)> {
        let key = |leaf| Some((leaf, self.group.member_at(leaf)?.signature_key));
        let mut gone: Vec<_> = commit
            .remove_proposals()
            .filter_map(|proposal| key(proposal.remove_proposal().removed()))
            .collect();
        if let (Some(leaf), Some(node)) = (committer, commit.update_path_leaf_node()) {
            gone.extend(key(leaf).filter(|(_, old)| old != node.signature_key().as_slice()));
        }
        gone
    }

    pub fn export_group_info(&self, signer: &DeviceKey) -> Outcome<Vec<u8>> {
        self.check_active()?;
        let info: MlsMessageOut = self
            .group
            .export_group_info(self.provider.crypto(), signer, true)
            .map_err(|error| {
                Fault::because(Kind::WrongState, "there is no GroupInfo to give", error)
            })?;
        encoded(&info)
    }

    pub fn add_psk(&self, id: Vec<u8>, secret: &[u8]) -> Outcome<()> {
        Ok(psk_id(id, self.group.ciphersuite(), &self.provider)?.store(&self.provider, secret)?)
    }

    pub fn remove_psk(&self, id: Vec<u8>) -> Outcome<()> {
        Ok(self
            .provider
            .storage
            .delete_psk(&Psk::External(ExternalPsk::new(id)))?)
    }

    /// RFC 9420 §8.5.
    pub fn export_secret(&self, label: &str, context: &[u8], length: usize) -> Outcome<Vec<u8>> {
        self.group
            .export_secret(self.provider.crypto(), label, context, length)
            .map_err(|error| Fault::because(Kind::WrongState, "there is no such secret", error))
    }
}

impl Member {
    fn of(member: openmls::group::Member) -> Outcome<Self> {
        Ok(Self {
            index: member.index.u32(),
            chain: chain(&member.credential)?,
            signature_key: member.signature_key,
        })
    }
}

fn load(provider: &Provider, group_id: &GroupId) -> Outcome<MlsGroup> {
    let missing = || {
        Fault::new(
            Kind::DamagedState,
            "the group's stored state is not complete",
        )
    };
    let group = MlsGroup::load(&provider.storage, group_id)?.ok_or_else(missing)?;
    if group.group_id() != group_id {
        return Err(Fault::new(
            Kind::DamagedState,
            "the stored state is of another group",
        ));
    }
    Ok(group)
}

fn psk_id(id: Vec<u8>, suite: Ciphersuite, provider: &Provider) -> Outcome<PreSharedKeyId> {
    PreSharedKeyId::new(suite, provider.rand(), Psk::External(ExternalPsk::new(id)))
        .map_err(|error| Fault::because(Kind::Internal, "there is no randomness", error))
}

fn psk_proposal(id: Vec<u8>, suite: Ciphersuite, provider: &Provider) -> Outcome<Proposal> {
    let id = psk_id(id, suite, provider)?;
    Ok(Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(
        id,
    ))))
}

fn not_in_group() -> Fault {
    Fault::new(Kind::NotAMember, "there is no such member in the group")
}
