//! Reading a message of a group: decrypting, checking, and saying what a commit would do.

use std::collections::BTreeSet;

use openmls::group::StagedCommit;
use openmls::prelude::{
    ContentType, LeafNode, LeafNodeIndex, MlsMessageBodyIn, ProcessedMessage,
    ProcessedMessageContent, Proposal, ProtocolMessage, Sender,
};
use openmls::schedule::{PreSharedKeyId, Psk};
use tls_codec::{Deserialize, Serialize};

use crate::credential::{Chain, chain};
use crate::errors::{Fault, Kind, Outcome};
use crate::former;
use crate::group::{Member, Staged, State};
use crate::key_package::message;
use crate::provider::{past_epochs, room_state};

#[derive(Default)]
pub struct Processed {
    pub kind: &'static str,
    pub sender: Option<Member>,
    pub aad: Vec<u8>,
    pub plaintext: Option<Vec<u8>>,
    pub added: Vec<Member>,
    pub removed: Vec<Member>,
    pub updated: Option<Member>,
    pub room_state: Option<Vec<u8>>,
    pub self_removed: bool,
    pub psk_ids: Vec<Vec<u8>>,
    pub epoch: u64,
}

impl State {
    /// RFC 9420 §6, §12.4.2. A commit is staged, whatever was staged before goes.
    pub fn process(&mut self, bytes: &[u8]) -> Outcome<Processed> {
        let message: ProtocolMessage = match message(bytes)? {
            MlsMessageBodyIn::PrivateMessage(message) => message.into(),
            MlsMessageBodyIn::PublicMessage(message) => message.into(),
            _ => return Err(Fault::malformed("a message to a group")),
        };
        self.check_epoch(&message)?;
        let processed = self.group.process_message(&self.provider, message)?;
        self.sort(processed)
    }

    fn check_epoch(&self, message: &ProtocolMessage) -> Outcome<()> {
        let (ours, theirs) = (self.group.epoch(), message.epoch());
        if message.group_id() != self.group.group_id() {
            return Err(Fault::new(
                Kind::WrongGroup,
                "the message is of another group",
            ));
        }
        let oldest = match message.content_type() {
            ContentType::Application => ours.as_u64().saturating_sub(past_epochs() as u64),
            ContentType::Commit | ContentType::Proposal => ours.as_u64(),
        };
        if theirs > ours || theirs.as_u64() < oldest {
            return Err(Fault::new(
                Kind::WrongEpoch,
                format!(
                    "the message is of epoch {}, the group is in epoch {}",
                    theirs.as_u64(),
                    ours.as_u64()
                ),
            ));
        }
        Ok(())
    }

    fn sort(&mut self, processed: ProcessedMessage) -> Outcome<Processed> {
        let mut result = Processed {
            aad: processed.aad().to_vec(),
            epoch: processed.epoch().as_u64(),
            sender: self.sender(&processed)?,
            ..Processed::default()
        };
        let sender = processed.sender().clone();
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => {
                result.kind = "application";
                result.plaintext = Some(message.into_bytes());
            }
            ProcessedMessageContent::ProposalMessage(_)
            | ProcessedMessageContent::ExternalJoinProposalMessage(_) => {
                // Never kept: our commits carry their proposals with them, so a commit that
                // refers to one fails as it should.
                result.kind = "proposal";
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                self.describe(&sender, &staged, &mut result)?;
                let committer = match sender {
                    Sender::Member(leaf) => Some(leaf),
                    _ => None,
                };
                self.staged = Some(Staged {
                    commit: staged,
                    committer,
                });
            }
            ProcessedMessageContent::OwnPrivateMessage
            | ProcessedMessageContent::OwnPendingCommit => {
                return Err(Fault::new(
                    Kind::OwnMessage,
                    "the message is of this device itself",
                ));
            }
        }
        Ok(result)
    }

    fn sender(&self, processed: &ProcessedMessage) -> Outcome<Option<Member>> {
        let Sender::Member(leaf) = processed.sender() else {
            return Ok(None);
        };
        let storage = &self.provider.storage;
        let signature_key = match former::recall(storage, processed.epoch().as_u64(), *leaf)? {
            Some(key) => key,
            None => self.member(*leaf)?.signature_key,
        };
        let chain = chain(processed.credential())?;
        Ok(Some(Member {
            index: leaf.u32(),
            chain,
            signature_key,
        }))
    }

    fn describe(
        &self,
        sender: &Sender,
        staged: &StagedCommit,
        result: &mut Processed,
    ) -> Outcome<()> {
        let external = *sender == Sender::NewMemberCommit;
        check_proposals(staged, external)?;
        let state = room_state(staged.group_context())?;
        if state != self.room_state()? {
            result.room_state = Some(state);
        }
        for proposal in staged.remove_proposals() {
            result
                .removed
                .push(self.member(proposal.remove_proposal().removed())?);
        }
        result.self_removed = staged.self_removed();
        result.psk_ids = psk_ids(staged)?;
        let leaf = staged.update_path_leaf_node();
        if external {
            let leaf = leaf.ok_or_else(|| refused("an external commit without an update path"))?;
            let index = self
                .group
                .ext_commit_sender_index(staged)
                .map_err(|error| {
                    Fault::because(
                        Kind::InvalidCommit,
                        "the external commit has no place",
                        error,
                    )
                })?;
            let own = result
                .removed
                .iter()
                .any(|member| member.signature_key != leaf.signature_key().as_slice());
            if own {
                return Err(refused("an external commit that removes somebody else"));
            }
            result.kind = "external_commit";
            result.sender = Some(newcomer(index, leaf)?);
            result.added.push(newcomer(index, leaf)?);
        } else {
            result.kind = "commit";
            if let (Sender::Member(index), Some(leaf)) = (sender, leaf) {
                result.updated = Some(newcomer(*index, leaf)?);
            }
            self.describe_adds(staged, result)?;
        }
        Ok(())
    }

    /// An added leaf takes the leftmost empty place after the removals (RFC 9420 §7.7, §12.3).
    fn describe_adds(&self, staged: &StagedCommit, result: &mut Processed) -> Outcome<()> {
        let mut adds = staged.add_proposals().peekable();
        if adds.peek().is_none() {
            return Ok(());
        }
        let mut taken: BTreeSet<u32> = self
            .group
            .members()
            .map(|member| member.index.u32())
            .collect();
        for member in &result.removed {
            taken.remove(&member.index);
        }
        let mut place = 0;
        for proposal in adds {
            while taken.contains(&place) {
                place += 1;
            }
            taken.insert(place);
            let leaf = proposal.add_proposal().key_package().leaf_node();
            result
                .added
                .push(newcomer(LeafNodeIndex::new(place), leaf)?);
        }
        Ok(())
    }
}

fn newcomer(index: LeafNodeIndex, leaf: &LeafNode) -> Outcome<Member> {
    let chain: Chain = chain(leaf.credential())?;
    Ok(Member {
        index: index.u32(),
        chain,
        signature_key: leaf.signature_key().as_slice().to_vec(),
    })
}

/// Only what a conversation is made of: who is in, its state, and pre-shared keys.
fn check_proposals(staged: &StagedCommit, external: bool) -> Outcome<()> {
    for queued in staged.queued_proposals() {
        match queued.proposal() {
            Proposal::Remove(_) => {}
            Proposal::PreSharedKey(_) => {}
            Proposal::ExternalInit(_) if external => {}
            Proposal::Add(_) | Proposal::GroupContextExtensions(_) if !external => {}
            other => {
                let kind = other.proposal_type();
                return Err(refused(&format!(
                    "a commit with a proposal of the kind {kind:?}"
                )));
            }
        }
    }
    Ok(())
}

/// The external PSKs of a commit.
fn psk_ids(staged: &StagedCommit) -> Outcome<Vec<Vec<u8>>> {
    staged
        .psk_proposals()
        .map(|proposal| {
            // OpenMLS shows a proposal's PreSharedKeyID to nobody; on the wire it is all there is.
            let id = proposal
                .psk_proposal()
                .tls_serialize_detached()
                .and_then(PreSharedKeyId::tls_deserialize_exact)
                .map_err(|_| Fault::malformed("a pre-shared key's id"))?;
            match id.psk() {
                Psk::External(psk) => Ok(psk.psk_id().to_vec()),
                Psk::Resumption(_) => Err(refused("a commit with a resumption key")),
            }
        })
        .collect()
}

fn refused(what: &str) -> Fault {
    Fault::new(
        Kind::InvalidCommit,
        format!("{what} is not allowed in a conversation"),
    )
}
