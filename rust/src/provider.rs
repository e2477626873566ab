//! What OpenMLS needs from outside: cryptography, randomness, storage; and what we choose in it.

use openmls::extensions::{
    Extension, ExtensionType, RequiredCapabilitiesExtension, UnknownExtension,
};
use openmls::group::{
    GroupContext, MlsGroupJoinConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, WireFormatPolicy,
};
use openmls::prelude::{
    Capabilities, Ciphersuite, CredentialType, Extensions, ProtocolVersion,
    SenderRatchetConfiguration,
};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;

use crate::errors::{Fault, Kind, Outcome};
use crate::storage::Storage;

/// Ours, best first. 0x004E is the hybrid: ML-KEM-768 with X25519 (X-Wing), AES-256-GCM, SHA-384.
pub const SUITES: [Ciphersuite; 2] = [
    Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519,
    Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
];

/// The GroupContext extension with the room's state; private use (RFC 9420 §17.3).
pub const ROOM_STATE: u16 = 0xF0C5;

/// How many epochs back a message can still be read that lost the race against commits.
const PAST_EPOCHS: usize = 5;
const OUT_OF_ORDER: u32 = 64;
const FORWARD: u32 = 10_000;

/// Members' handshakes are always PrivateMessages. An external Commit is exempt from the policy:
/// its sender cannot encrypt yet.
const WIRE_FORMAT: WireFormatPolicy = PURE_CIPHERTEXT_WIRE_FORMAT_POLICY;

/// One group's storage, with cryptography.
pub struct Provider {
    crypto: RustCrypto,
    pub storage: Storage,
}

impl Provider {
    pub fn new(storage: Storage) -> Self {
        Self {
            crypto: RustCrypto::default(),
            storage,
        }
    }

    /// Seed the generator anew. Called before every change, so that a forked process never uses
    /// its parent's random numbers again, and a lock poisoned by a panic heals.
    pub fn refresh(&mut self) {
        self.crypto = RustCrypto::default();
    }
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = Storage;

    fn storage(&self) -> &Storage {
        &self.storage
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}

pub fn suite(number: u16) -> Outcome<Ciphersuite> {
    SUITES
        .into_iter()
        .find(|suite| *suite as u16 == number)
        .ok_or_else(|| {
            Fault::new(
                Kind::WrongState,
                format!("cipher suite {number:#06x} is not ours"),
            )
        })
}

/// What our leaves say they can do (RFC 9420 §7.2).
pub fn capabilities() -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&SUITES),
        Some(&[
            ExtensionType::Unknown(ROOM_STATE),
            ExtensionType::LastResort,
        ]),
        Some(&[]),
        Some(&[CredentialType::X509]),
    )
}

/// The GroupContext's extensions: what everyone must support (RFC 9420 §11.1), and the room's state.
pub fn context_extensions(room_state: Vec<u8>) -> Outcome<Extensions<GroupContext>> {
    let required = RequiredCapabilitiesExtension::new(
        &[ExtensionType::Unknown(ROOM_STATE)],
        &[],
        &[CredentialType::X509],
    );
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required),
        Extension::Unknown(ROOM_STATE, UnknownExtension(room_state)),
    ])
    .map_err(|error| Fault::because(Kind::Internal, "the group's extensions are refused", error))
}

/// The room's state in a GroupContext, if its extensions are exactly the ones we put there.
pub fn room_state(context: &GroupContext) -> Outcome<Vec<u8>> {
    let extensions = context.extensions();
    let state = extensions
        .unknown(ROOM_STATE)
        .map(|UnknownExtension(state)| state.clone());
    match state {
        Some(state) if *extensions == context_extensions(state.clone())? => Ok(state),
        _ => Err(Fault::new(
            Kind::InvalidCommit,
            "the group has other extensions than a conversation has",
        )),
    }
}

pub fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(WIRE_FORMAT)
        .padding_size(0)
        .max_past_epochs(PAST_EPOCHS)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(ratchets())
        .build()
}

pub fn ratchets() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD)
}

pub const fn wire_format() -> WireFormatPolicy {
    WIRE_FORMAT
}

pub const fn past_epochs() -> usize {
    PAST_EPOCHS
}
