import LMDB
import Posix

/// How many unusable indexes are kept for people to look at: the newest.
private let mostKept = 2

/// Renames the index's directory, and makes an empty one in its place; returns the new name.
func setAside(_ directory: String) throws(IndexOpeningError) -> String {
    let kept = "\(directory).damaged-\(WallClock.milliseconds)"
    do throws(SystemCallError) {
        try File.rename(directory, to: kept)
        try Directory.make(directory)
    } catch {
        throw .system(error)
    }
    removeOlder(than: directory)
    return kept
}

/// Removes all but the newest of what was set aside; what cannot be removed stays.
private func removeOlder(than directory: String) {
    let parent = Directory.parent(of: directory)
    let prefix = "\(directory.split(separator: "/").last ?? "").damaged-"
    let names = (try? Directory.names(in: parent)) ?? []
    let dated = names.compactMap { name -> (name: String, time: Int)? in
        guard name.hasPrefix(prefix), let time = Int(name.dropFirst(prefix.count)) else { return nil }
        return (name, time)
    }
    for (name, _) in dated.sorted(by: { $0.time > $1.time }).dropFirst(mostKept) {
        let path = "\(parent)/\(name)"
        // An index has no directories in it; one that somebody made keeps it all here.
        for file in (try? Directory.names(in: path)) ?? [] { _ = try? File.remove("\(path)/\(file)") }
        _ = try? Directory.remove(path)
    }
}

/// Refuses a data file whose end is missing, before it is mapped: a read past the end would be SIGBUS.
func checkDataFile(in directory: String) throws(IndexOpeningError) {
    let path = "\(directory)/data.mdb"
    let (head, size): ([UInt8], Int)
    do throws(SystemCallError) {
        guard let status = try File.status(of: path) else { return }
        head = try File.contents(of: path, limit: DataFile.headLength)
        size = status.size
    } catch {
        throw .system(error)
    }
    do throws(LMDBError) {
        try DataFile.check(head: head.span, size: size)
    } catch {
        throw .lmdb(error)
    }
}
