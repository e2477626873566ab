//! A device's Ed25519 key, for OpenMLS to sign with.

use ed25519_dalek::{Signer as _, SigningKey};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use crate::errors::{Fault, Kind};

/// The device's signature key. It is wiped from memory when dropped.
#[pyclass(frozen, name = "Signer", module = "chatsecure._mls")]
pub struct DeviceKey(SigningKey);

impl Signer for DeviceKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl DeviceKey {
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    pub fn public(&self) -> Vec<u8> {
        self.0.verifying_key().to_bytes().to_vec()
    }
}

#[pymethods]
impl DeviceKey {
    #[new]
    fn new(seed: &[u8]) -> PyResult<Self> {
        let seed: Zeroizing<[u8; 32]> =
            Zeroizing::new(seed.try_into().map_err(|_| {
                Fault::new(Kind::Malformed, "an Ed25519 private key is 32 bytes long")
            })?);
        Ok(Self::from_seed(&seed))
    }

    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.verifying_key().to_bytes())
    }
}
