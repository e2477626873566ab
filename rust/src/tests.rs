//! What a member with a program of their own could do, and what must come of it; and the undoing
//! of calls that fail. Everything else is tested from Python.

use openmls::extensions::{
    Extension, ExtensionType, ExternalSendersExtension, RequiredCapabilitiesExtension,
    UnknownExtension,
};
use openmls::group::{GroupContext, PURE_PLAINTEXT_WIRE_FORMAT_POLICY};
use openmls::prelude::{Extensions, MlsGroupJoinConfig};
use openmls_traits::OpenMlsProvider;

use crate::errors::{Fault, Kind, Outcome};
use crate::group::{CommitOrder, State};
use crate::key_package::{encoded, generate, validate};
use crate::provider::{ROOM_STATE, SUITES, context_extensions};
use crate::signer::DeviceKey;
use crate::storage::{Row, Storage};

const SUITE: u16 = SUITES[1] as u16;

fn signer(number: u8) -> DeviceKey {
    DeviceKey::from_seed(&[number; 32])
}

fn chain(number: u8) -> Vec<Vec<u8>> {
    vec![vec![number; 40], vec![0; 40]]
}

/// Two in a group.
fn pair() -> (State, State) {
    let mut ada = State::create(&signer(1), chain(1), b"group", b"state".to_vec(), SUITE).unwrap();
    let package = generate(&signer(2), chain(2), false, SUITE, 3600).unwrap();
    let order = CommitOrder {
        add: vec![package.key_package],
        ..CommitOrder::default()
    };
    let made = ada.change(|ada| ada.commit(&signer(1), order)).unwrap();
    ada.change(State::merge_pending).unwrap();
    let bob = State::join(&made.welcome.unwrap(), package.state).unwrap();
    (ada, bob)
}

fn rows(state: &State) -> Vec<Row> {
    let changes = state.provider.storage.take_changes();
    changes
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

/// A commit of Ada's with these GroupContext extensions.
fn commit_extensions(ada: &mut State, extensions: Extensions<GroupContext>) -> Vec<u8> {
    let (group, provider) = (&mut ada.group, &ada.provider);
    let bundle = group
        .commit_builder()
        .propose_group_context_extensions(extensions)
        .unwrap()
        .force_self_update(true)
        .load_psks(&provider.storage)
        .unwrap()
        .build(provider.rand(), provider.crypto(), &signer(1), |_| true)
        .unwrap()
        .stage_commit(provider)
        .unwrap();
    encoded(bundle.commit()).unwrap()
}

fn fails<T>(outcome: Outcome<T>, kind: Kind) {
    match outcome {
        Ok(_) => panic!("it should have failed"),
        Err(fault) => assert_eq!(fault.kind, kind, "{}", fault.text),
    }
}

/// Bob refuses the commit, is as before, and reads on.
fn refuses(ada: &mut State, bob: &mut State, commit: &[u8]) {
    let before = bob.group.epoch_authenticator().as_slice().to_vec();
    fails(bob.change(|bob| bob.process(commit)), Kind::InvalidCommit);
    assert!(bob.staged.is_none());
    assert_eq!(bob.group.epoch_authenticator().as_slice(), before);
    ada.change(State::discard_pending).unwrap();
    let message = ada
        .change(|ada| ada.encrypt(&signer(1), b"on", vec![]))
        .unwrap();
    assert_eq!(
        bob.change(|bob| bob.process(&message))
            .unwrap()
            .plaintext
            .unwrap(),
        b"on"
    );
}

#[test]
fn a_commit_that_takes_the_rooms_state_away_is_refused() {
    let (mut ada, mut bob) = pair();
    let mut extensions = context_extensions(vec![]).unwrap();
    extensions.remove(ExtensionType::Unknown(ROOM_STATE));
    let commit = commit_extensions(&mut ada, extensions);
    refuses(&mut ada, &mut bob, &commit);
}

#[test]
fn a_commit_that_lets_outsiders_propose_is_refused() {
    let (mut ada, mut bob) = pair();
    let mut extensions = context_extensions(b"state".to_vec()).unwrap();
    extensions
        .add(Extension::ExternalSenders(ExternalSendersExtension::new()))
        .unwrap();
    let commit = commit_extensions(&mut ada, extensions);
    refuses(&mut ada, &mut bob, &commit);
}

#[test]
fn a_commit_that_requires_less_of_newcomers_is_refused() {
    let (mut ada, mut bob) = pair();
    let extensions = Extensions::from_vec(vec![
        Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(
            &[ExtensionType::Unknown(ROOM_STATE)],
            &[],
            &[],
        )),
        Extension::Unknown(ROOM_STATE, UnknownExtension(b"state".to_vec())),
    ])
    .unwrap();
    let commit = commit_extensions(&mut ada, extensions);
    refuses(&mut ada, &mut bob, &commit);
}

#[test]
fn a_members_commit_in_the_open_is_refused() {
    let (mut ada, mut bob) = pair();
    let open = MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .use_ratchet_tree_extension(true)
        .build();
    ada.group
        .set_configuration(&ada.provider.storage, &open)
        .unwrap();
    let made = ada
        .change(|ada| ada.commit(&signer(1), CommitOrder::default()))
        .unwrap();
    refuses(&mut ada, &mut bob, &made.commit);
}

#[test]
fn a_proposal_is_told_and_not_kept_and_a_commit_that_refers_to_it_is_refused() {
    let (mut ada, mut bob) = pair();
    let package = generate(&signer(3), chain(3), false, SUITE, 3600).unwrap();
    let package = validate(&package.key_package, &ada.provider).unwrap();
    let (group, provider) = (&mut ada.group, &ada.provider);
    let (proposal, _) = group
        .propose_add_member(provider, &signer(1), &package)
        .unwrap();
    let proposal = encoded(&proposal).unwrap();
    let told = bob.change(|bob| bob.process(&proposal)).unwrap();
    assert_eq!(told.kind, "proposal");
    assert!(!bob.group.has_pending_proposals());
    let (commit, _, _) = group
        .commit_to_pending_proposals(provider, &signer(1))
        .unwrap();
    let commit = encoded(&commit).unwrap();
    fails(bob.change(|bob| bob.process(&commit)), Kind::InvalidCommit);
}

#[test]
fn a_group_without_the_rooms_state_cannot_be_joined() {
    let provider = crate::provider::Provider::new(Storage::default());
    let with_key = crate::credential::with_key(&signer(1), chain(1)).unwrap();
    let group = openmls::group::MlsGroup::builder()
        .ciphersuite(SUITES[1])
        .with_capabilities(crate::provider::capabilities())
        .use_ratchet_tree_extension(true)
        .build(&provider, &signer(1), with_key)
        .unwrap();
    let info = group
        .export_group_info(provider.crypto(), &signer(1), true)
        .unwrap();
    let info = encoded(&info).unwrap();
    let joined = State::join_external(&signer(2), chain(2), &info, None, vec![]);
    fails(joined.map(|_| ()), Kind::InvalidCommit);
}

#[test]
fn a_call_that_fails_after_writing_is_undone() {
    let (mut ada, mut bob) = pair();
    let before = rows(&bob);
    let message = ada
        .change(|ada| ada.encrypt(&signer(1), b"text", vec![]))
        .unwrap();
    fails(
        bob.change(|bob| {
            bob.process(&message)?;
            Err::<(), _>(Fault::new(Kind::WrongState, "afterwards"))
        }),
        Kind::WrongState,
    );
    assert_eq!(
        bob.change(|bob| bob.process(&message))
            .unwrap()
            .plaintext
            .unwrap(),
        b"text"
    );
    fails(bob.change(|bob| bob.process(&message)), Kind::Undecryptable);
    let again = State::load(b"group", before).unwrap();
    assert_eq!(again.members().unwrap().len(), 2);
}

#[test]
fn a_panic_is_an_error_and_is_undone() {
    let (mut ada, mut bob) = pair();
    let made = ada
        .change(|ada| ada.commit(&signer(1), CommitOrder::default()))
        .unwrap();
    fails(
        bob.change(|bob| -> Outcome<()> {
            bob.process(&made.commit)?;
            bob.merge_staged()?;
            panic!("on purpose")
        }),
        Kind::Internal,
    );
    assert_eq!(bob.group.epoch().as_u64(), 1);
    bob.change(|bob| bob.process(&made.commit)).unwrap();
    bob.change(State::merge_staged).unwrap();
    ada.change(State::merge_pending).unwrap();
    assert_eq!(
        bob.group.epoch_authenticator().as_slice(),
        ada.group.epoch_authenticator().as_slice()
    );
}

#[test]
fn a_refused_commit_can_be_read_again() {
    let (mut ada, mut bob) = pair();
    rows(&bob);
    let mut extensions = context_extensions(b"state".to_vec()).unwrap();
    extensions
        .add(Extension::ExternalSenders(ExternalSendersExtension::new()))
        .unwrap();
    let commit = commit_extensions(&mut ada, extensions);
    for _ in 0..2 {
        fails(bob.change(|bob| bob.process(&commit)), Kind::InvalidCommit);
    }
}
