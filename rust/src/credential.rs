//! A credential as a certificate chain (RFC 9420 §5.3); checked in Python, only unpacked here.

use openmls::prelude::{Credential, CredentialType, CredentialWithKey};
use tls_codec::{Deserialize, Serialize, VLBytes};

use crate::errors::{Fault, Kind, Outcome};
use crate::signer::DeviceKey;

pub type Chain = Vec<Vec<u8>>;

/// `Certificate certificates<V>`: device certificate, identity certificate.
pub fn credential(chain: Chain) -> Outcome<Credential> {
    let mut content = Vec::new();
    for certificate in chain {
        VLBytes::from(certificate)
            .tls_serialize(&mut content)
            .map_err(|_| Fault::new(Kind::Malformed, "a certificate is too long"))?;
    }
    Ok(Credential::new(CredentialType::X509, content))
}

pub fn chain(credential: &Credential) -> Outcome<Chain> {
    let mut rest = credential.serialized_content();
    let mut chain = Vec::new();
    if credential.credential_type() != CredentialType::X509 {
        return Err(Fault::malformed("a certificate chain"));
    }
    while !rest.is_empty() {
        let certificate = VLBytes::tls_deserialize(&mut rest)
            .map_err(|_| Fault::malformed("a certificate chain"))?;
        chain.push(certificate.into());
    }
    Ok(chain)
}

pub fn with_key(signer: &DeviceKey, chain: Chain) -> Outcome<CredentialWithKey> {
    Ok(CredentialWithKey {
        credential: credential(chain)?,
        signature_key: signer.public().into(),
    })
}
