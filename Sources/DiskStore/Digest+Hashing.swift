import Hashing
import OCI

extension HashAlgorithm {
    init(_ algorithm: Digest.Algorithm) {
        switch algorithm {
        case .sha256: self = .sha256
        case .sha512: self = .sha512
        }
    }
}

extension Digest {
    /// The digest of bytes in memory.
    init(hashing bytes: [UInt8], _ algorithm: Algorithm) {
        let hash = ContentHasher.hash(bytes.span, HashAlgorithm(algorithm))
        guard let digest = Digest(algorithm: algorithm, bytes: hash.span) else {
            preconditionFailure("\(algorithm) gave \(hash.count) bytes")
        }
        self = digest
    }
}
