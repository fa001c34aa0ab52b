import Locking
package import MirrorCore
import OCI
package import Ocync

/// Makes a plan of a configuration: tag lists where patterns need them, a look at each tag, and a price.
///
/// Nothing is fetched, but for a manifest where a registry answers no HEADs. What fails for one mapping or tag is noted
/// there, and the rest goes on.
package struct Planner: Sendable {
    /// Looks at tags that are on their way at one time; the mirror has windows of its own.
    private static let width = 16

    let configuration: OcyncConfiguration
    let options: PrewarmOptions
    let mirror: any WarmMirror
    let warnings: [String]

    /// Takes the configuration as it was read, with the warnings that came of that.
    package init(
        _ configuration: OcyncConfiguration,
        _ options: PrewarmOptions,
        mirror: any WarmMirror,
        warnings: [String] = []
    ) {
        self.configuration = configuration
        self.options = options
        self.mirror = mirror
        self.warnings = warnings
    }

    /// Makes the plan; when the task is cancelled, what was not looked at has problems.
    package func plan(observing observe: @escaping PrewarmObserver) async -> PrewarmPlan {
        var requests = PlanRequests()
        var mappings = await found()
        let repositories = Self.distinct(mappings.filter(\.needsTagList).compactMap(\.repository))
        requests.tagLists = repositories.count
        let lists = await tagLists(of: repositories)
        for index in mappings.indices { mappings[index].select(from: lists, options) }

        let questions = Self.distinct(mappings.flatMap(TagQuestion.of))
        requests.heads = questions.count
        let answers = await looks(at: questions, observe)
        var assembly = PlanAssembly(mappings, options, answers)
        let walks = assembly.walks
        let needs = await concurrently(walks, width: Self.width) { [mirror] walk in await walk.needs(mirror) }
        assembly.finish(Dictionary(uniqueKeysWithValues: zip(walks, needs)))

        var plan = assembly.plan
        plan.requests = requests
        plan.warnings = warnings + plan.warnings
        for upstream in Self.distinct(plan.images.map(\.repository.upstream)) {
            plan.quotas[upstream] = await mirror.quota(of: upstream).keeping(options.reserve)
        }
        return plan
    }

    /// The mappings with their repositories, or why they have none.
    private func found() async -> [PlannedMapping] {
        var planned: [PlannedMapping] = []
        for mapping in configuration.mappings {
            var entry = PlannedMapping(mapping)
            do throws(MappingFailure) {
                entry.repository = try await repository(of: mapping)
            } catch {
                entry.failure = error
            }
            planned.append(entry)
        }
        return planned
    }

    private func repository(of mapping: OcyncMapping) async throws(MappingFailure) -> Repository {
        let source = try mapping.checkedSource()
        if let refusal = options.refusedRegistries[source.alias] { throw .unsupportedAuthentication(refusal) }
        do throws(MirrorError) {
            return try await mirror.repository(mapping.from, of: source.canonicalHost)
        } catch {
            switch error {
            case .upstreamUnknown(let name): throw .unknownUpstream(name)
            case .repositoryUnknown: throw .mapping(.repository(mapping.from))
            default: throw MappingFailure(error, asking: "\(source.canonicalHost)/\(mapping.from)")
            }
        }
    }

    private func tagLists(of repositories: [Repository]) async -> [Repository: Result<[String], MappingFailure>] {
        let lists = await concurrently(repositories, width: Self.width) { [mirror] repository in
            do throws(MirrorError) {
                return Result<[String], MappingFailure>.success(try await mirror.tags(in: repository))
            } catch {
                return .failure(MappingFailure(error, asking: "the tags of \(repository)"))
            }
        }
        return Dictionary(uniqueKeysWithValues: zip(repositories, lists))
    }

    private func looks(
        at questions: [TagQuestion],
        _ observe: @escaping PrewarmObserver
    ) async -> [TagQuestion: Result<WarmTag, MirrorError>] {
        let done = Locked(0)
        let answers = await concurrently(questions, width: Self.width) { [mirror] question in
            let answer: Result<WarmTag, MirrorError>
            do throws(MirrorError) {
                let tag = try await mirror.look(
                    up: question.tag,
                    in: question.repository,
                    isImmutable: question.isImmutable
                )
                answer = .success(tag)
            } catch {
                answer = .failure(error)
            }
            let count = done.withLock { done in
                done += 1
                return done
            }
            observe(.lookedUp(count, of: questions.count))
            return answer
        }
        return Dictionary(uniqueKeysWithValues: zip(questions, answers))
    }

    /// Each once, in the order in which they first come.
    private static func distinct<Element: Hashable>(_ elements: [Element]) -> [Element] {
        var seen: Set<Element> = []
        return elements.filter { seen.insert($0).inserted }
    }
}

extension Planner {
    /// What filters make of tag lists that are given by repository, as `from` has it; nobody is asked anything.
    package static func offline(
        _ configuration: OcyncConfiguration,
        tags: [String: [String]],
        warnings: [String] = []
    ) -> PrewarmPlan {
        var plan = PrewarmPlan(warnings: warnings)
        let options = PrewarmOptions()
        for mapping in configuration.mappings {
            var entry = PlannedMapping(mapping)
            do throws(MappingFailure) {
                _ = try mapping.checkedSource()
                guard let list = mapping.tags.literals ?? tags[mapping.from] else {
                    throw .registry("the file of tags has none for \(mapping.from)")
                }
                try entry.apply(list, options)
            } catch {
                entry.failure = error
            }
            plan.mappings.append(entry)
            plan.warnings += entry.warnings(options)
        }
        return plan
    }
}

extension WarmQuota {
    /// With what a run leaves, where that is not what the settings say.
    func keeping(_ reserve: Int?) -> WarmQuota {
        var quota = self
        if let reserve { quota.reserve = reserve }
        return quota
    }
}
