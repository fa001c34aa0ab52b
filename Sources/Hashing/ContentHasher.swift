import CCrypto

/// A hash computation in progress, on one thread at a time.
///
/// The value owns an `EVP_MD_CTX`. It is not copied by accident, so one stream of bytes has one hasher; ``finalize()``
/// consumes it, so nothing is hashed after the end.
///
/// That OpenSSL fails is fatal: it has no memory, or a library that cannot hash, and nothing may be served unverified.
@safe
package struct ContentHasher: ~Copyable, Sendable {
    package let algorithm: HashAlgorithm
    // The value is its only owner, and who changes it has it alone; OpenSSL ties no context to a thread.
    private nonisolated(unsafe) let context: OpaquePointer

    package init(_ algorithm: HashAlgorithm) {
        guard let context = unsafe EVP_MD_CTX_new() else { fatalError("EVP_MD_CTX_new: out of memory") }
        self.algorithm = algorithm
        unsafe self.context = context
        guard unsafe EVP_DigestInit_ex(context, algorithm.implementation, nil) == 1 else {
            fatalError("EVP_DigestInit_ex: \(algorithm) is not available")
        }
    }

    /// Another hasher that has been given the same bytes so far.
    package init(copying other: borrowing ContentHasher) {
        self.init(other.algorithm)
        guard unsafe EVP_MD_CTX_copy_ex(context, other.context) == 1 else {
            fatalError("EVP_MD_CTX_copy_ex: out of memory")
        }
    }

    deinit {
        unsafe EVP_MD_CTX_free(context)
    }

    package mutating func update(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            guard unsafe EVP_DigestUpdate(context, buffer.baseAddress, buffer.count) == 1 else {
                fatalError("EVP_DigestUpdate failed")
            }
        }
    }

    /// The hash of everything given to ``update(_:)``.
    package consuming func finalize() -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: algorithm.byteCount) { buffer, count in
            var length: UInt32 = 0
            guard unsafe EVP_DigestFinal_ex(context, buffer.baseAddress, &length) == 1 else {
                fatalError("EVP_DigestFinal_ex failed")
            }
            count = Int(length)
        }
    }

    /// The hash of bytes that are all in memory.
    package static func hash(_ bytes: Span<UInt8>, _ algorithm: HashAlgorithm) -> [UInt8] {
        var hasher = ContentHasher(algorithm)
        hasher.update(bytes)
        return hasher.finalize()
    }
}
