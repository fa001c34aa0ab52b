import CCrypto

/// A hash that content is addressed by.
package enum HashAlgorithm: Hashable, Sendable, CaseIterable {
    case sha256
    case sha512

    /// The length of the hash, in bytes.
    package var byteCount: Int {
        switch self {
        case .sha256: 32
        case .sha512: 64
        }
    }

    /// The implementation, fetched once.
    ///
    /// `EVP_sha256()` would do, but OpenSSL 3 then searches its providers again for every computation.
    var implementation: OpaquePointer {
        switch self {
        case .sha256: unsafe Self.sha256Implementation
        case .sha512: unsafe Self.sha512Implementation
        }
    }

    // Reference-counted and never changed after the fetch, so all threads may use them (EVP_MD_fetch(3)); never freed.
    private nonisolated(unsafe) static let sha256Implementation = unsafe fetch("SHA256")
    private nonisolated(unsafe) static let sha512Implementation = unsafe fetch("SHA512")

    private static func fetch(_ name: String) -> OpaquePointer {
        guard let implementation = unsafe EVP_MD_fetch(nil, name, nil) else {
            // Nothing can be verified with such a library, so nothing may be served.
            fatalError("EVP_MD_fetch: libcrypto has no \(name)")
        }
        return unsafe implementation
    }
}
