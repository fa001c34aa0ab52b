import Posix

/// A file in the index's directory that counts openings which ended before the process was ready.
///
///     absent ──begin──▶ 1 ──end──▶ absent
///                       │ the process dies
///                       ▼
///                       1 ──begin──▶ 2 … ──▶ the index is set aside, and the marker with it
///
/// Not synced: it is about processes that die, and what they wrote stays in the kernel. A machine that dies is no
/// reason to suspect the index.
struct OpeningMarker: Sendable {
    /// After so many in a row the index is not opened again.
    static let mostDeaths = 2

    private let path: String

    init(in directory: String) {
        path = "\(directory)/opening"
    }

    /// How many openings in a row have not come to their end; one whose number cannot be read is one.
    var count: Int {
        do throws(SystemCallError) {
            let text = String(decoding: try File.contents(of: path, limit: 16), as: UTF8.self)
            return max(1, Int(text) ?? 1)
        } catch {
            return 0
        }
    }

    func begin(after count: Int) throws(IndexOpeningError) {
        do throws(SystemCallError) {
            let file = try FileDescriptor.open(path, .openOrCreate)
            try file.truncate(to: 0)
            let text = Array("\(count + 1)".utf8)
            try file.write(text.span, at: 0)
        } catch {
            throw .system(error)
        }
    }

    /// The opening has ended well.
    func end() {
        // One that stays is counted as one death at most: a start that fails later says more.
        _ = try? File.remove(path)
    }
}
