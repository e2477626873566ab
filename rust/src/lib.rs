//! `chatsecure._mls`: OpenMLS for Python. The typed face is `chatsecure/mls.py`.
//!
//! Nothing of MLS is done here: this takes bytes, asks OpenMLS, and gives bytes. One file per idea:
//! `group` (a group and its changes), `message` (what comes in), `key_package`, `credential`,
//! `signer`, `provider` (our choices), `storage`, `chunks` and `past` (state as rows), `former`
//! (keys of those who left), `errors`, `guard` (no panic crosses over).
//!
//! The GIL is released in every call; a group's lock is only ever taken without it.

mod chunks;
mod credential;
mod errors;
mod former;
mod group;
mod guard;
mod key_package;
mod message;
mod past;
mod provider;
mod signer;
mod storage;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::Outcome;
use crate::group::{CommitOrder, Member, State};
use crate::guard::guarded;
use crate::message::Processed;
use crate::provider::{ROOM_STATE, SUITES};
use crate::signer::DeviceKey;
use crate::storage::{Change, Row};

type Chain = Vec<Vec<u8>>;
type ChangeRow<'py> = (Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>);
type CommitRow = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);
type MemberRow = (u32, Chain, Vec<u8>);

/// Processed, in the order of the fields in `mls.py`.
type ProcessedRow = (
    (&'static str, Option<MemberRow>, Vec<u8>, Option<Vec<u8>>),
    (Vec<MemberRow>, Vec<MemberRow>, Option<MemberRow>),
    (Option<Vec<u8>>, bool, Vec<Vec<u8>>, u64),
);

impl From<Member> for MemberRow {
    fn from(member: Member) -> Self {
        (member.index, member.chain, member.signature_key)
    }
}

fn rows(members: Vec<Member>) -> Vec<MemberRow> {
    members.into_iter().map(MemberRow::from).collect()
}

impl From<Processed> for ProcessedRow {
    fn from(p: Processed) -> Self {
        (
            (p.kind, p.sender.map(MemberRow::from), p.aad, p.plaintext),
            (
                rows(p.added),
                rows(p.removed),
                p.updated.map(MemberRow::from),
            ),
            (p.room_state, p.self_removed, p.psk_ids, p.epoch),
        )
    }
}

/// Run a free-standing call without the GIL.
fn detached<T: Send>(py: Python<'_>, call: impl FnOnce() -> Outcome<T> + Send) -> PyResult<T> {
    Ok(py.detach(|| guarded(call))?)
}

#[pyclass(frozen, module = "chatsecure._mls")]
struct Group(Mutex<State>);

impl Group {
    fn look<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&State) -> Outcome<T> + Send,
    ) -> PyResult<T> {
        Ok(py.detach(|| {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .look(call)
        })?)
    }

    fn change<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut State) -> Outcome<T> + Send,
    ) -> PyResult<T> {
        Ok(py.detach(|| {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .change(call)
        })?)
    }
}

impl From<State> for Group {
    fn from(state: State) -> Self {
        Self(Mutex::new(state))
    }
}

#[pymethods]
impl Group {
    #[staticmethod]
    fn load(py: Python<'_>, group_id: &[u8], state: Vec<Row>) -> PyResult<Self> {
        detached(py, || State::load(group_id, state)).map(Self::from)
    }

    #[staticmethod]
    fn create(
        py: Python<'_>,
        signer: &Bound<'_, DeviceKey>,
        chain: Chain,
        group_id: &[u8],
        room_state: Vec<u8>,
        suite: u16,
    ) -> PyResult<Self> {
        let signer = signer.get();
        detached(py, || {
            State::create(signer, chain, group_id, room_state, suite)
        })
        .map(Self::from)
    }

    #[staticmethod]
    fn join(py: Python<'_>, welcome: &[u8], state: Vec<Row>) -> PyResult<Self> {
        detached(py, || State::join(welcome, state)).map(Self::from)
    }

    #[staticmethod]
    fn join_external(
        py: Python<'_>,
        signer: &Bound<'_, DeviceKey>,
        chain: Chain,
        group_info: &[u8],
        psk: Option<(Vec<u8>, Vec<u8>)>,
        aad: Vec<u8>,
    ) -> PyResult<(Self, Vec<u8>)> {
        let signer = signer.get();
        detached(py, || {
            State::join_external(signer, chain, group_info, psk, aad)
        })
        .map(|(state, commit)| (Self::from(state), commit))
    }

    #[getter]
    fn group_id(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.look(py, |state| Ok(state.group.group_id().to_vec()))
    }

    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, |state| Ok(state.group.epoch().as_u64()))
    }

    #[getter]
    fn own_leaf(&self, py: Python<'_>) -> PyResult<u32> {
        self.look(py, |state| Ok(state.group.own_leaf_index().u32()))
    }

    #[getter]
    fn suite(&self, py: Python<'_>) -> PyResult<u16> {
        self.look(py, |state| Ok(state.group.ciphersuite() as u16))
    }

    #[getter]
    fn room_state(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.look(py, State::room_state)
    }

    #[getter]
    fn is_active(&self, py: Python<'_>) -> PyResult<bool> {
        self.look(py, |state| Ok(state.group.is_active()))
    }

    #[getter]
    fn has_pending_commit(&self, py: Python<'_>) -> PyResult<bool> {
        self.look(py, |state| Ok(state.group.pending_commit().is_some()))
    }

    #[getter]
    fn has_staged_commit(&self, py: Python<'_>) -> PyResult<bool> {
        self.look(py, |state| Ok(state.staged.is_some()))
    }

    #[getter]
    fn epoch_authenticator(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.look(py, |state| {
            Ok(state.group.epoch_authenticator().as_slice().to_vec())
        })
    }

    fn members(&self, py: Python<'_>) -> PyResult<Vec<MemberRow>> {
        self.look(py, |state| state.members().map(rows))
    }

    fn leaf_of(&self, py: Python<'_>, signature_key: &[u8]) -> PyResult<Option<u32>> {
        self.look(py, |state| Ok(state.leaf_of(signature_key)))
    }

    fn leaf_key(&self, py: Python<'_>, leaf: u32) -> PyResult<Vec<u8>> {
        self.look(py, |state| state.leaf_key(leaf))
    }

    fn take_changes<'py>(&self, py: Python<'py>) -> PyResult<Vec<ChangeRow<'py>>> {
        let changes: Vec<Change> =
            self.look(py, |state| Ok(state.provider.storage.take_changes()))?;
        Ok(changes
            .into_iter()
            .map(|(key, value)| {
                (
                    PyBytes::new(py, &key),
                    value.map(|value| PyBytes::new(py, &value)),
                )
            })
            .collect())
    }

    fn encrypt(
        &self,
        py: Python<'_>,
        signer: &Bound<'_, DeviceKey>,
        plaintext: &[u8],
        aad: Vec<u8>,
    ) -> PyResult<Vec<u8>> {
        let signer = signer.get();
        self.change(py, |state| state.encrypt(signer, plaintext, aad))
    }

    #[allow(clippy::too_many_arguments)]
    fn commit(
        &self,
        py: Python<'_>,
        signer: &Bound<'_, DeviceKey>,
        add: Vec<Vec<u8>>,
        remove: Vec<u32>,
        room_state: Option<Vec<u8>>,
        psk_ids: Vec<Vec<u8>>,
        chain: Option<Chain>,
        aad: Vec<u8>,
        want_group_info: bool,
    ) -> PyResult<CommitRow> {
        let signer = signer.get();
        let order = CommitOrder {
            add,
            remove,
            room_state,
            psk_ids,
            chain,
            aad,
            want_group_info,
        };
        self.change(py, |state| state.commit(signer, order))
            .map(|new| (new.commit, new.welcome, new.group_info))
    }

    fn merge_pending(&self, py: Python<'_>) -> PyResult<()> {
        self.change(py, State::merge_pending)
    }

    fn discard_pending(&self, py: Python<'_>) -> PyResult<()> {
        self.change(py, State::discard_pending)
    }

    fn process(&self, py: Python<'_>, message: &[u8]) -> PyResult<ProcessedRow> {
        self.change(py, |state| state.process(message))
            .map(ProcessedRow::from)
    }

    fn merge_staged(&self, py: Python<'_>) -> PyResult<()> {
        self.change(py, State::merge_staged)
    }

    fn discard_staged(&self, py: Python<'_>) -> PyResult<()> {
        self.change(py, |state| {
            state.staged = None;
            Ok(())
        })
    }

    fn export_group_info(
        &self,
        py: Python<'_>,
        signer: &Bound<'_, DeviceKey>,
    ) -> PyResult<Vec<u8>> {
        let signer = signer.get();
        self.look(py, |state| state.export_group_info(signer))
    }

    fn add_psk(&self, py: Python<'_>, psk_id: Vec<u8>, psk: &[u8]) -> PyResult<()> {
        self.change(py, |state| state.add_psk(psk_id, psk))
    }

    fn remove_psk(&self, py: Python<'_>, psk_id: Vec<u8>) -> PyResult<()> {
        self.change(py, |state| state.remove_psk(psk_id))
    }

    fn export_secret(
        &self,
        py: Python<'_>,
        label: &str,
        context: &[u8],
        length: usize,
    ) -> PyResult<Vec<u8>> {
        self.look(py, |state| state.export_secret(label, context, length))
    }
}

#[pyfunction]
fn generate_key_package(
    py: Python<'_>,
    signer: &Bound<'_, DeviceKey>,
    chain: Chain,
    last_resort: bool,
    suite: u16,
    lifetime_s: u64,
) -> PyResult<(Vec<u8>, Vec<u8>, Vec<Row>)> {
    let signer = signer.get();
    detached(py, || {
        key_package::generate(signer, chain, last_resort, suite, lifetime_s)
    })
    .map(|new| (new.key_package, new.reference, new.state))
}

#[pyfunction]
#[allow(clippy::type_complexity)]
fn key_package_info(
    py: Python<'_>,
    data: &[u8],
) -> PyResult<(Vec<u8>, Chain, Vec<u8>, u64, u64, u16, bool)> {
    detached(py, || key_package::info(data)).map(|info| {
        (
            info.reference,
            info.chain,
            info.signature_key,
            info.not_before,
            info.not_after,
            info.suite,
            info.last_resort,
        )
    })
}

#[pyfunction]
fn welcome_refs(py: Python<'_>, welcome: &[u8]) -> PyResult<Vec<Vec<u8>>> {
    detached(py, || key_package::welcome_refs(welcome))
}

#[pymodule]
fn _mls(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("SUITES", SUITES.map(|suite| suite as u16))?;
    module.add("ROOM_STATE_EXTENSION", ROOM_STATE)?;
    module.add_class::<DeviceKey>()?;
    module.add_class::<Group>()?;
    module.add_function(wrap_pyfunction!(generate_key_package, module)?)?;
    module.add_function(wrap_pyfunction!(key_package_info, module)?)?;
    module.add_function(wrap_pyfunction!(welcome_refs, module)?)?;
    Ok(())
}
