/// What a flight that there is no room for leaves to those who follow it: each goes on by a ``Passage`` of its own.
struct Handover: Sendable {
    /// The beginning of the blob, which readers may have in part; it is there as long as somebody has it open.
    var file: (any StoredFile)?
    /// How much is in the file.
    var received = 0
    /// A hash of what is in the file, which goes on from there; `nil` when the disk may have lost some of it.
    var verifier: @Sendable () -> (any BlobVerifier)?
}
