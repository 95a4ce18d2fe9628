//! What the properties of a client mean for its security: refused, or said at every start.

use super::kafka::Properties;

/// What was found in the properties of one client.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Sentences that `allow_insecure: true` turns into warnings.
    pub(super) insecure: Vec<&'static str>,
    /// Sentences to say at every start.
    pub(super) warnings: Vec<&'static str>,
    /// Brokers are not asked to prove who they are.
    pub(super) tls_verification_disabled: bool,
}

/// Judges the properties of one client.
pub(super) fn judge(properties: &Properties) -> Findings {
    let value = |name| properties.get(name).map_or_else(String::new, |p| p.expose().to_lowercase());
    let or = |a: String, b: String| if a.is_empty() { b } else { a };
    let protocol = value("security.protocol");
    let mechanism = or(value("sasl.mechanism"), value("sasl.mechanisms"));
    let mut found = Findings::default();
    if protocol == "sasl_plaintext" && !mechanism.starts_with("scram") {
        found.insecure.push(
            "`security.protocol: sasl_plaintext` sends the password or token over an open \
             connection",
        );
    } else if protocol == "sasl_plaintext" {
        found.warnings.push("records travel over an open connection: `sasl_ssl` would hide them");
    }
    if is_true(&value("enable.sasl.oauthbearer.unsecure.jwt")) {
        found.insecure.push("`enable.sasl.oauthbearer.unsecure.jwt: true` accepts forged tokens");
    }
    let tls = protocol.ends_with("ssl");
    if tls && is_false(&value("enable.ssl.certificate.verification")) {
        found.tls_verification_disabled = true;
        found.warnings.push("TLS certificates of the brokers are not verified");
    }
    if tls && value("ssl.endpoint.identification.algorithm") == "none" {
        found.tls_verification_disabled = true;
        found.warnings.push("names in the TLS certificates of the brokers are not verified");
    }
    if !value("debug").is_empty() {
        found.warnings.push("`debug` of librdkafka is on: its lines name users, hosts and topics");
    }
    found
}

fn is_true(value: &str) -> bool {
    ["true", "t", "1"].contains(&value)
}

fn is_false(value: &str) -> bool {
    ["false", "f", "0"].contains(&value)
}

#[cfg(test)]
mod tests {
    use super::super::property::Property;
    use super::*;

    fn judged(entries: &[(&str, &str)]) -> Findings {
        let property = |(k, v): &(&str, &str)| ((*k).to_owned(), Property::new(k, (*v).to_owned()));
        judge(&entries.iter().map(property).collect())
    }

    #[test]
    fn passwords_over_open_connections_are_insecure() {
        let plain = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN")];
        assert_eq!(judged(&plain).insecure.len(), 1);
        let scram = [("security.protocol", "sasl_plaintext"), ("sasl.mechanisms", "SCRAM-SHA-512")];
        assert_eq!((judged(&scram).insecure.len(), judged(&scram).warnings.len()), (0, 1));
        let tls = [("security.protocol", "SASL_SSL"), ("sasl.mechanism", "PLAIN")];
        assert_eq!(judged(&tls), Findings::default());
    }

    #[test]
    fn switched_off_verification_is_found_under_tls_only() {
        let off = ("enable.ssl.certificate.verification", "false");
        assert!(judged(&[("security.protocol", "ssl"), off]).tls_verification_disabled);
        assert!(!judged(&[off]).tls_verification_disabled);
        let name = ("ssl.endpoint.identification.algorithm", "none");
        assert!(judged(&[("security.protocol", "SASL_SSL"), name]).tls_verification_disabled);
    }
}
