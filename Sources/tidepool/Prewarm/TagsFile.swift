import Foundation
import Ocync
import Prewarm

/// Tags of repositories from a file: filters can be tried without asking anybody.
struct TagsFile {
    private let tags: [String: [String]]

    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    init(tags: [String: [String]]) {
        self.tags = tags
    }

    /// Reads JSON: repository → list of tags, in the registry's order; blocks on the disk.
    init(path: String) throws(Unreadable) {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw Unreadable(description: "\(path): the file of tags cannot be read")
        }
        do {
            tags = try JSONDecoder().decode([String: [String]].self, from: data)
        } catch {
            let form = #"{"library/nginx": ["latest", "1.27"]}"#
            throw Unreadable(description: "\(path): must be JSON that gives each repository its tags, such as \(form)")
        }
    }

    /// The tags of a mapping's repository, by its name alone or after its registry's.
    func tags(of mapping: OcyncMapping) -> [String]? {
        tags[mapping.from] ?? mapping.source.flatMap { tags["\($0.canonicalHost)/\(mapping.from)"] }
    }
}

extension PrewarmPlan {
    /// What the filters make of the tags in a file; no mirror is asked.
    init(offline configuration: OcyncConfiguration, tags: TagsFile, warnings: [String]) {
        self.init(mappings: configuration.mappings.map { PlannedMapping($0, tags: tags) }, warnings: warnings)
    }
}

extension PlannedMapping {
    fileprivate init(_ mapping: OcyncMapping, tags file: TagsFile) {
        self.init(mapping)
        if let problem = mapping.problem {
            failure = .mapping(problem)
            return
        }
        let tags = file.tags(of: mapping)
        guard tags != nil || mapping.tags.literals != nil else {
            failure = .registry("the file of tags does not have the repository '\(mapping.from)'; add its tags")
            return
        }
        do throws(TagFilterError) {
            selection = try mapping.tags.apply(to: tags ?? [])
            tagCount = selection.isLiteral ? nil : tags?.count
        } catch {
            failure = .filter(error)
        }
    }
}
