import Foundation

/// Tags of repositories from a file: filters can be tried without asking anybody.
enum TagsFile {
    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    /// Reads JSON: repository → list of tags, in the registry's order; blocks on the disk.
    static func read(_ path: String) throws(Unreadable) -> [String: [String]] {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw Unreadable(description: "\(path): the file of tags cannot be read")
        }
        do {
            return try JSONDecoder().decode([String: [String]].self, from: data)
        } catch {
            let form = #"{"library/nginx": ["latest", "1.27"]}"#
            throw Unreadable(description: "\(path): must be JSON that gives each repository its tags, such as \(form)")
        }
    }
}
