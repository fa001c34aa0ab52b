package import OCI

/// What is left of a blob whose flight did not come home.
package struct UnfinishedBlob: Hashable, Sendable {
    package var digest: Digest
    /// The bytes that are there.
    package var received: Int
    /// The length of the blob, where it was noted.
    package var expectedLength: Int?

    package init(digest: Digest, received: Int, expectedLength: Int?) {
        self.digest = digest
        self.received = received
        self.expectedLength = expectedLength
    }
}

/// A place in a walk through all that is stored, which may be kept across restarts.
package struct WalkPosition: RawRepresentable, Hashable, Sendable {
    package var rawValue: Int

    package init(rawValue: Int) {
        self.rawValue = rawValue
    }

    package static let start = WalkPosition(rawValue: 0)
}

/// A stored file, by its name.
package struct StoredContent: Hashable, Sendable {
    package var digest: Digest
    /// In bytes.
    package var size: Int
    /// It may have been touched since its content was last known to be right: see ``StoreError/doubtful``.
    package var isDoubtful: Bool

    package init(digest: Digest, size: Int, isDoubtful: Bool = false) {
        self.digest = digest
        self.size = size
        self.isDoubtful = isDoubtful
    }
}

/// One batch of a walk.
package struct StoredBatch: Hashable, Sendable {
    /// In the order of their digests.
    package var contents: [StoredContent]
    /// Names that no content has, as paths in the data directory: somebody else's, which a walk leaves alone.
    package var foreign: [String]
    /// Where the next batch begins; `nil` after the last.
    package var next: WalkPosition?
    /// How much of the walk is done after this batch, from 0 to 1.
    package var progress: Double

    package init(contents: [StoredContent], foreign: [String], next: WalkPosition?, progress: Double) {
        self.contents = contents
        self.foreign = foreign
        self.next = next
        self.progress = progress
    }
}

/// What a look at a stored file has shown.
package enum Verdict: Hashable, Sendable {
    case intact
    case missing
    /// It has fewer bytes than it should.
    case short(Int)
    /// Its content has another digest.
    case damaged
    /// The device cannot read it, or it is no file.
    case unreadable(errno: Int32)
}

/// What has become of a doubtful file.
package enum Confirmation: Sendable {
    /// It has its digest; this is the file that was hashed, open.
    case intact(any StoredFile)
    /// Anything but ``Verdict/intact``.
    case bad(Verdict)
}

/// The room on a device, in bytes.
package struct StoreSpace: Hashable, Sendable {
    /// What this process can still write.
    package var free: Int
    package var total: Int

    package init(free: Int, total: Int) {
        self.free = free
        self.total = total
    }
}
