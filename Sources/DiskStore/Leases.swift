import Locking
import MirrorCore
import OCI

/// Which content is open for reading, and how often.
///
/// Counted here and not asked of the kernel, which cannot tell. In parts by digest, as every event loop comes here for every
/// blob that it sends.
final class Leases: Sendable {
    fileprivate struct Name: Hashable, Sendable {
        var digest: Digest
        var kind: ContentKind
    }

    private let parts = (0..<16).map { _ in Locked<[Name: Int]>([:]) }

    /// Counts a reader, until the lease goes.
    func lease(_ digest: Digest, _ kind: ContentKind) -> Lease {
        let name = Name(digest: digest, kind: kind)
        part(of: digest).withLock { $0[name, default: 0] += 1 }
        return Lease(name, in: self)
    }

    func isLeased(_ digest: Digest, _ kind: ContentKind) -> Bool {
        part(of: digest).withLock { $0[Name(digest: digest, kind: kind)] != nil }
    }

    fileprivate func giveBack(_ name: Name) {
        part(of: name.digest)
            .withLock { counts in
                guard let count = counts[name] else { preconditionFailure("a lease was given back twice") }
                counts[name] = count > 1 ? count - 1 : nil
            }
    }

    private func part(of digest: Digest) -> Locked<[Name: Int]> {
        parts[Int(digest[0]) % parts.count]
    }
}

/// A claim on content that keeps eviction off while it is read; given back when the value goes.
struct Lease: ~Copyable, Sendable {
    private let name: Leases.Name
    private let leases: Leases

    fileprivate init(_ name: Leases.Name, in leases: Leases) {
        self.name = name
        self.leases = leases
    }

    deinit {
        leases.giveBack(name)
    }
}
