import CCrypto

/// The libcrypto that the process runs with, which need not be the one it was built with.
package enum CryptoVersion {
    /// As OpenSSL says it: `OpenSSL 3.0.19 27 Jan 2026`.
    package static var text: String {
        unsafe String(cString: OpenSSL_version(OPENSSL_VERSION))
    }
}
