//! What can go wrong, as the classes of `chatsecure.mls`, each with one clear sentence.
//!
//! OpenMLS has one error type per call; here they become the few kinds a caller treats differently.

use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::group::{
    CreateCommitError, ExternalCommitBuilderError, ExternalCommitValidationError,
    MlsGroupStateError, ProcessMessageError, ProposalValidationError, StageCommitError,
    ValidationError, WelcomeError,
};
use openmls::prelude::CreationFromExternalError;
use openmls::schedule::errors::PskError;
use pyo3::prelude::*;

use crate::storage::StorageError;

mod classes {
    pyo3::import_exception!(chatsecure.mls, MlsError);
    pyo3::import_exception!(chatsecure.mls, MalformedMls);
    pyo3::import_exception!(chatsecure.mls, NoMatchingKeyPackage);
    pyo3::import_exception!(chatsecure.mls, BadKeyPackage);
    pyo3::import_exception!(chatsecure.mls, WrongGroup);
    pyo3::import_exception!(chatsecure.mls, WrongEpoch);
    pyo3::import_exception!(chatsecure.mls, Undecryptable);
    pyo3::import_exception!(chatsecure.mls, OwnMessage);
    pyo3::import_exception!(chatsecure.mls, NotAMember);
    pyo3::import_exception!(chatsecure.mls, InvalidCommit);
    pyo3::import_exception!(chatsecure.mls, MissingPsk);
    pyo3::import_exception!(chatsecure.mls, WrongState);
    pyo3::import_exception!(chatsecure.mls, DamagedState);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Internal,
    Malformed,
    NoMatchingKeyPackage,
    BadKeyPackage,
    WrongGroup,
    WrongEpoch,
    Undecryptable,
    OwnMessage,
    NotAMember,
    InvalidCommit,
    MissingPsk,
    WrongState,
    DamagedState,
}

#[derive(Debug)]
pub struct Fault {
    pub kind: Kind,
    pub text: String,
}

pub type Outcome<T> = Result<T, Fault>;

impl Fault {
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// A kind with OpenMLS's own words after ours.
    pub fn because(kind: Kind, text: &str, cause: impl std::fmt::Display) -> Self {
        let cause = cause.to_string();
        Self::new(kind, format!("{text}: {}", cause.trim_end_matches('.')))
    }

    pub fn malformed(what: &str) -> Self {
        Self::new(Kind::Malformed, format!("these bytes are not {what}"))
    }
}

impl From<Fault> for PyErr {
    fn from(fault: Fault) -> PyErr {
        use classes as c;
        let text = fault.text;
        match fault.kind {
            Kind::Internal => c::MlsError::new_err(text),
            Kind::Malformed => c::MalformedMls::new_err(text),
            Kind::NoMatchingKeyPackage => c::NoMatchingKeyPackage::new_err(text),
            Kind::BadKeyPackage => c::BadKeyPackage::new_err(text),
            Kind::WrongGroup => c::WrongGroup::new_err(text),
            Kind::WrongEpoch => c::WrongEpoch::new_err(text),
            Kind::Undecryptable => c::Undecryptable::new_err(text),
            Kind::OwnMessage => c::OwnMessage::new_err(text),
            Kind::NotAMember => c::NotAMember::new_err(text),
            Kind::InvalidCommit => c::InvalidCommit::new_err(text),
            Kind::MissingPsk => c::MissingPsk::new_err(text),
            Kind::WrongState => c::WrongState::new_err(text),
            Kind::DamagedState => c::DamagedState::new_err(text),
        }
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Fault::because(
            Kind::DamagedState,
            "the group's stored state is damaged",
            error,
        )
    }
}

impl From<MlsGroupStateError> for Fault {
    fn from(error: MlsGroupStateError) -> Self {
        match error {
            MlsGroupStateError::UseAfterEviction => {
                Fault::new(Kind::NotAMember, "this device is not in the group any more")
            }
            MlsGroupStateError::PendingCommit => Fault::new(
                Kind::WrongState,
                "a commit of this device is still pending in the group",
            ),
            MlsGroupStateError::NoPendingCommit => Fault::new(
                Kind::WrongState,
                "no commit of this device is pending in the group",
            ),
            other => Fault::because(Kind::WrongState, "the group cannot do this now", other),
        }
    }
}

impl From<PskError> for Fault {
    fn from(error: PskError) -> Self {
        match error {
            PskError::KeyNotFound => Fault::new(
                Kind::MissingPsk,
                "it needs a pre-shared key that is not here",
            ),
            other => Fault::because(
                Kind::InvalidCommit,
                "a pre-shared key is not in order",
                other,
            ),
        }
    }
}

impl From<MessageDecryptionError> for Fault {
    fn from(error: MessageDecryptionError) -> Self {
        let text = match &error {
            MessageDecryptionError::SecretTreeError(
                SecretTreeError::SecretReuseError | SecretTreeError::TooDistantInThePast,
            ) => "the message was read before, or is older than what is still kept",
            MessageDecryptionError::SecretTreeError(SecretTreeError::TooDistantInTheFuture) => {
                "the message is too far ahead of the last one of its sender"
            }
            MessageDecryptionError::SecretTreeError(SecretTreeError::IndexOutOfBounds) => {
                "the message names a sender that is not in the group"
            }
            _ => "the message cannot be decrypted: it was changed, or is not for this group",
        };
        Fault::new(Kind::Undecryptable, text)
    }
}

impl From<ValidationError> for Fault {
    fn from(error: ValidationError) -> Self {
        match error {
            ValidationError::WrongGroupId => {
                Fault::new(Kind::WrongGroup, "the message is of another group")
            }
            ValidationError::WrongEpoch => Fault::new(
                Kind::WrongEpoch,
                "the message is of another epoch of the group",
            ),
            ValidationError::NoPastEpochData => Fault::new(
                Kind::WrongEpoch,
                "the message is of an epoch whose secrets are not kept any more",
            ),
            ValidationError::UnableToDecrypt(error) => error.into(),
            ValidationError::InvalidSignature
            | ValidationError::InvalidMembershipTag
            | ValidationError::MissingMembershipTag => Fault::new(
                Kind::Undecryptable,
                "the message is not signed by the member it says it is from",
            ),
            ValidationError::UnknownMember => Fault::new(
                Kind::NotAMember,
                "the message is of somebody who is not in the group",
            ),
            ValidationError::ExternalCommitValidation(error) => error.into(),
            other => Fault::because(
                Kind::InvalidCommit,
                "the message breaks a rule of MLS",
                other,
            ),
        }
    }
}

impl From<ExternalCommitValidationError> for Fault {
    fn from(error: ExternalCommitValidationError) -> Self {
        Fault::because(
            Kind::InvalidCommit,
            "the external commit breaks a rule of MLS",
            error,
        )
    }
}

impl From<ProposalValidationError> for Fault {
    fn from(error: ProposalValidationError) -> Self {
        match error {
            ProposalValidationError::Psk(error) => error.into(),
            ProposalValidationError::UnknownMember
            | ProposalValidationError::UnknownMemberRemoval => {
                Fault::new(Kind::NotAMember, "the one to remove is not in the group")
            }
            ProposalValidationError::DuplicateSignatureKey => Fault::new(
                Kind::InvalidCommit,
                "a device to add is in the group already",
            ),
            other => Fault::because(
                Kind::InvalidCommit,
                "a proposal breaks a rule of MLS",
                other,
            ),
        }
    }
}

impl From<StageCommitError> for Fault {
    fn from(error: StageCommitError) -> Self {
        match error {
            StageCommitError::EpochMismatch => Fault::new(
                Kind::WrongEpoch,
                "the commit is of another epoch of the group",
            ),
            StageCommitError::ConfirmationTagMismatch => Fault::new(
                Kind::InvalidCommit,
                "the commit leads elsewhere than it says, or its pre-shared key is not ours",
            ),
            StageCommitError::OwnCommitMismatch => {
                Fault::new(Kind::OwnMessage, "the commit is of this device itself")
            }
            StageCommitError::PskError(error) => error.into(),
            StageCommitError::ProposalValidationError(error) => error.into(),
            other => Fault::because(
                Kind::InvalidCommit,
                "the commit breaks a rule of MLS",
                other,
            ),
        }
    }
}

impl From<ProcessMessageError<StorageError>> for Fault {
    fn from(error: ProcessMessageError<StorageError>) -> Self {
        match error {
            ProcessMessageError::StorageError(error) => error.into(),
            ProcessMessageError::ValidationError(error) => error.into(),
            ProcessMessageError::GroupStateError(error) => error.into(),
            ProcessMessageError::InvalidCommit(error) => error.into(),
            ProcessMessageError::IncompatibleWireFormat => Fault::new(
                Kind::InvalidCommit,
                "a member's commit or proposal came in the open, which is not allowed",
            ),
            other => Fault::because(
                Kind::InvalidCommit,
                "the message breaks a rule of MLS",
                other,
            ),
        }
    }
}

impl From<CreateCommitError> for Fault {
    fn from(error: CreateCommitError) -> Self {
        match error {
            CreateCommitError::PskError(error) => error.into(),
            CreateCommitError::ProposalValidationError(error) => error.into(),
            CreateCommitError::InvalidExternalCommit(error) => error.into(),
            CreateCommitError::CannotRemoveSelf => Fault::new(
                Kind::WrongState,
                "a device cannot remove itself; another member has to do it",
            ),
            other => Fault::because(Kind::InvalidCommit, "the commit cannot be made", other),
        }
    }
}

impl From<WelcomeError<StorageError>> for Fault {
    fn from(error: WelcomeError<StorageError>) -> Self {
        match error {
            WelcomeError::NoMatchingKeyPackage
            | WelcomeError::NoMatchingEncryptionKey
            | WelcomeError::JoinerSecretNotFound
            | WelcomeError::PrivateInitKeyNotFound => Fault::new(
                Kind::NoMatchingKeyPackage,
                "the Welcome is for a KeyPackage that is not here",
            ),
            WelcomeError::StorageError(error) => error.into(),
            WelcomeError::Psk(error) => error.into(),
            other => Fault::because(Kind::Undecryptable, "the Welcome is not in order", other),
        }
    }
}

impl From<ExternalCommitBuilderError<StorageError>> for Fault {
    fn from(error: ExternalCommitBuilderError<StorageError>) -> Self {
        match error {
            ExternalCommitBuilderError::StorageError(error)
            | ExternalCommitBuilderError::PublicGroupError(
                CreationFromExternalError::WriteToStorageError(error),
            ) => error.into(),
            other => Fault::because(Kind::InvalidCommit, "the GroupInfo is not in order", other),
        }
    }
}
