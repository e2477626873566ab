//! KeyPackages: what others need to add this device (RFC 9420 §10).

use openmls::extensions::ExtensionType;
use openmls::prelude::{
    KeyPackage, KeyPackageIn, KeyPackageRef, Lifetime, MlsMessageBodyIn, MlsMessageIn,
    MlsMessageOut, ProtocolVersion, Welcome,
};
use openmls_traits::OpenMlsProvider;
use tls_codec::Deserialize;

use crate::credential::{Chain, chain, with_key};
use crate::errors::{Fault, Kind, Outcome};
use crate::provider::{Provider, ROOM_STATE, capabilities, suite};
use crate::signer::DeviceKey;
use crate::storage::{Row, Storage};

pub struct NewKeyPackage {
    pub key_package: Vec<u8>,
    pub reference: Vec<u8>,
    pub state: Vec<Row>,
}

pub struct KeyPackageInfo {
    pub reference: Vec<u8>,
    pub chain: Chain,
    pub signature_key: Vec<u8>,
    pub not_before: u64,
    pub not_after: u64,
    pub suite: u16,
    pub last_resort: bool,
}

pub fn message(bytes: &[u8]) -> Outcome<MlsMessageBodyIn> {
    MlsMessageIn::tls_deserialize_exact(bytes)
        .map(MlsMessageIn::extract)
        .map_err(|_| Fault::malformed("an MLS message"))
}

pub fn encoded(message: &MlsMessageOut) -> Outcome<Vec<u8>> {
    message
        .to_bytes()
        .map_err(|error| Fault::because(Kind::Internal, "the message cannot be encoded", error))
}

pub fn generate(
    signer: &DeviceKey,
    chain: Chain,
    last_resort: bool,
    suite_number: u16,
    lifetime_s: u64,
) -> Outcome<NewKeyPackage> {
    let provider = Provider::new(Storage::default());
    let mut builder = KeyPackage::builder()
        .leaf_node_capabilities(capabilities())
        .key_package_lifetime(Lifetime::new(lifetime_s));
    if last_resort {
        builder = builder.mark_as_last_resort();
    }
    let bundle = builder
        .build(
            suite(suite_number)?,
            &provider,
            signer,
            with_key(signer, chain)?,
        )
        .map_err(|error| Fault::because(Kind::Internal, "the KeyPackage cannot be made", error))?;
    let package = bundle.key_package().clone();
    let reference = reference(&package, &provider)?;
    let state = provider
        .storage
        .take_changes()
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect();
    Ok(NewKeyPackage {
        key_package: encoded(&package.into())?,
        reference,
        state,
    })
}

fn reference(package: &KeyPackage, provider: &Provider) -> Outcome<Vec<u8>> {
    let reference: KeyPackageRef = package.hash_ref(provider.crypto()).map_err(|error| {
        Fault::because(Kind::Internal, "the KeyPackage has no reference", error)
    })?;
    Ok(reference.as_slice().to_vec())
}

/// A KeyPackage as the one who adds it must check it (RFC 9420 §10.1); who it belongs to is
/// checked in Python, by its chain.
pub fn validate(bytes: &[u8], provider: &Provider) -> Outcome<KeyPackage> {
    let MlsMessageBodyIn::KeyPackage(package) = message(bytes)? else {
        return Err(Fault::malformed("a KeyPackage"));
    };
    validate_parsed(package, provider)
}

fn validate_parsed(package: KeyPackageIn, provider: &Provider) -> Outcome<KeyPackage> {
    let bad = |text: &str| Fault::new(Kind::BadKeyPackage, text);
    let package = package
        .validate(provider.crypto(), ProtocolVersion::Mls10)
        .map_err(|error| {
            Fault::because(Kind::BadKeyPackage, "the KeyPackage is not in order", error)
        })?;
    suite(package.ciphersuite() as u16)
        .map_err(|_| bad("the KeyPackage is for a cipher suite that is not ours"))?;
    let leaf = package.leaf_node();
    if !leaf
        .capabilities()
        .extensions()
        .contains(&ExtensionType::Unknown(ROOM_STATE))
    {
        return Err(bad(
            "the KeyPackage is of a program that does not know conversations",
        ));
    }
    chain(leaf.credential())?;
    Ok(package)
}

pub fn info(bytes: &[u8]) -> Outcome<KeyPackageInfo> {
    let provider = Provider::new(Storage::default());
    let package = validate(bytes, &provider)?;
    let leaf = package.leaf_node();
    Ok(KeyPackageInfo {
        reference: reference(&package, &provider)?,
        chain: chain(leaf.credential())?,
        signature_key: leaf.signature_key().as_slice().to_vec(),
        not_before: package.life_time().not_before(),
        not_after: package.life_time().not_after(),
        suite: package.ciphersuite() as u16,
        last_resort: package.last_resort(),
    })
}

pub fn parse_welcome(bytes: &[u8]) -> Outcome<Welcome> {
    match message(bytes)? {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(Fault::malformed("a Welcome")),
    }
}

/// The KeyPackages a Welcome is for (RFC 9420 §12.4.3.1).
pub fn welcome_refs(bytes: &[u8]) -> Outcome<Vec<Vec<u8>>> {
    let welcome = parse_welcome(bytes)?;
    Ok(welcome
        .secrets()
        .iter()
        .map(|s| s.new_member().as_slice().to_vec())
        .collect())
}
