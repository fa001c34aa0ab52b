import Glibc
import MirrorTesting
import OCI
import Posix
import Testing

@testable import DiskStore

@Suite("Notes and names of spools")
struct SpoolNoteTests {
    @Test(
        "a note is read as it was written",
        arguments: [(0, nil), (1, 2), (64 << 20, 1 << 40), (Int.max, Int.max)] as [(Int, Int?)]
    )
    func roundTrip(synced: Int, length: Int?) {
        let note = SpoolNote.Contents(synced: synced, length: length)
        #expect(SpoolNote.Contents(note.encoded) == note)
        #expect(note.encoded.count == 256)
    }

    @Test("a note with any bit changed, or cut at any length, says nothing, or the same")
    func damage() {
        let note = SpoolNote.Contents(synced: 123_456, length: 789_012)
        let bytes = note.encoded
        for index in bytes.indices {
            #expect(SpoolNote.Contents(Array(bytes[..<index])) == nil)
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << UInt8(bit)
                // Only in the filling can a change leave the meaning.
                let read = SpoolNote.Contents(damaged)
                #expect(read == nil || read == note)
            }
        }
        #expect(SpoolNote.Contents(bytes + [0]) == nil)
        #expect(SpoolNote.Contents([UInt8](repeating: 0, count: 256)) == nil)
    }

    @Test("a note does not come after its own removal")
    func removed() throws {
        let directory = try TemporaryDirectory("note")
        let path = directory.path("note")
        let note = SpoolNote(at: path, length: nil, mayExist: false)
        try note.write(synced: 1)
        #expect(SpoolNote.Contents(at: path) == SpoolNote.Contents(synced: 1, length: nil))
        note.expect(length: 5)
        try note.write(synced: 2)
        #expect(SpoolNote.Contents(at: path) == SpoolNote.Contents(synced: 2, length: 5))
        note.remove()
        try note.write(synced: 3)
        #expect(try File.status(of: path) == nil)
    }

    @Test("a spool's name is read as it was written, and nothing else is one")
    func names() throws {
        let digest = Digest(hashing: [1], .sha512)
        let name = SpoolName(for: digest)
        #expect(SpoolName(name.text) == name)
        #expect(SpoolName(name.text)?.digest == digest)
        #expect(SpoolName(for: digest) != name)
        let hex = Digest(hashing: [1], .sha256).hex
        #expect(SpoolName("sha256-\(hex)-1f") != nil)
        for text in [
            "", "-", "sha256-\(hex)", "sha256-\(hex)-", "sha256-\(hex)-x", "sha256-\(hex)-01",
            "sha256-\(hex)-1F", "sha256-\(hex)-1-2", "md5-\(hex)-1", "sha256-\(hex.dropLast())-1",
            "sha256-\(hex)-1f.note", "new-1f",
        ] {
            #expect(SpoolName(text) == nil, "\(text)")
        }
    }

    @Test("what the disk has lost stays lost: no sync after a failed one is a success")
    func lost() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let reading = FileDescriptor(takingOwnershipOf: ends[0])
        // A pipe cannot be synced.
        let file = OpenFile(FileDescriptor(takingOwnershipOf: ends[1]), size: 0)
        #expect(file.isSound)
        for _ in 0..<2 {
            #expect(throws: SystemCallError(call: "fdatasync", errno: EINVAL)) { try file.synchronizeData() }
        }
        #expect(!file.isSound)
        #expect(throws: SystemCallError(call: "fdatasync", errno: EINVAL)) { try file.append([1].span) }
        _ = reading.rawValue
    }
}
