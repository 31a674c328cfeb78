//! Files as openssl, Windows and Java make them, and what is wrong with those that are refused.

use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use secrecy::ExposeSecret;

use super::fixtures::{PASSPHRASE, file, public_key, read};
use super::{CertificateFile, NotACertificate, limits, parsed, read_certificate};

fn subjects(chain: &[Vec<u8>]) -> Vec<String> {
    chain.iter().map(|der| parsed(der).expect("a certificate").subject().to_string()).collect()
}

#[test]
fn every_usual_form_gives_the_certificate_and_the_key_that_belongs_to_it() {
    for (name, passphrase, certificates) in [
        ("chain.pem", "", 3),
        ("chain.pem", "not needed", 3),
        ("pkcs1.pem", "", 1),
        ("encrypted.pem", PASSPHRASE, 1),
        ("encrypted_sha1.pem", PASSPHRASE, 1),
        ("aes256.pfx", PASSPHRASE, 3),
        ("windows.pfx", PASSPHRASE, 3),
        ("java.p12", PASSPHRASE, 3),
        ("no_passphrase.pfx", "", 1),
        ("open.pfx", "", 1),
    ] {
        let found = read(name, passphrase).unwrap_or_else(|error| panic!("{name}: {error}"));
        let names = ["CN=mailer.acme.example", "CN=Postrider Test Issuer", "CN=Postrider Test Root"];
        assert_eq!(subjects(&found.chain), names[..certificates], "{name}: its own first, then its issuers");
        let key = RsaKeyPair::from_pkcs8(found.key.expose_secret()).expect("PKCS #8");
        assert_eq!(key.public_key().as_ref(), public_key(), "{name}");
        let own = parsed(&found.chain[0]).expect("a certificate").validity().not_after.timestamp();
        assert_eq!(found.expire_time.as_second(), own, "{name}");
    }
}

#[test]
fn what_is_refused_says_why() {
    use NotACertificate as Why;
    for (name, passphrase, why) in [
        ("encrypted.pem", "wrong", Why::Passphrase),
        ("encrypted.pem", "", Why::Passphrase),
        ("aes256.pfx", "wrong", Why::Passphrase),
        ("windows.pfx", "wrong", Why::Passphrase),
        ("java.p12", "", Why::Passphrase),
        ("encrypted_slow.pem", PASSPHRASE, Why::Rounds),
        ("slow.pfx", PASSPHRASE, Why::Rounds),
        ("encrypted_scrypt.pem", PASSPHRASE, Why::Cipher),
        ("encrypted_old.pem", PASSPHRASE, Why::Cipher),
        ("ec.pem", "", Why::NotRsa),
        ("small.pem", "", Why::NotRsa),
        ("foreign.pem", "", Why::ForeignKey),
        ("no_key.pfx", PASSPHRASE, Why::NoKey),
        ("leaf.pem", "", Why::NoKey),
        ("README.md", "", Why::NotPfx),
        ("leaf.pub", "", Why::NotPfx),
    ] {
        let found = read(name, passphrase).map(|found| subjects(&found.chain));
        assert_eq!(found, Err(why), "{name}");
    }
    for (text, why) in [
        ("", Why::Empty),
        ("nothing of the kind", Why::NotPem),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", Why::NotPem),
        ("-----BEGIN CERTIFICATE-----\nAAEC\n", Why::NotPem),
    ] {
        let found = read_certificate(&CertificateFile::Pem(text), "", false);
        assert_eq!(found.map(|_| ()), Err(why), "{text}");
    }
}

#[test]
fn what_a_file_may_cost_is_bounded_before_it_is_spent() {
    let large = vec![b'x'; limits::CERTIFICATE_BYTES_MAX + 1];
    let found = read_certificate(&CertificateFile::Pfx(&large), "", false);
    assert_eq!(found.map(|_| ()), Err(NotACertificate::Large));
    let leaf = String::from_utf8(file("leaf.pem")).expect("PEM");
    let many = leaf.repeat(limits::CERTIFICATE_CHAIN_MAX + 1);
    let found = read_certificate(&CertificateFile::Pem(&many), "", false);
    assert_eq!(found.map(|_| ()), Err(NotACertificate::LongChain));
}

#[test]
fn a_broken_file_is_refused_wherever_it_breaks() {
    for name in ["aes256.pfx", "windows.pfx", "java.p12"] {
        let whole = file(name);
        for end in (0..whole.len()).step_by(7) {
            let found = read_certificate(&CertificateFile::Pfx(&whole[..end]), PASSPHRASE, false);
            assert!(found.is_err(), "{name} cut to {end} bytes");
        }
    }
}
