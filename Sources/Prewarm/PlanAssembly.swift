import MirrorCore
import OCI
import Ocync

/// Puts a plan together from what was found out: no questions are asked here.
struct PlanAssembly {
    /// A look at what the mirror holds of an image.
    struct Walk: Hashable, Sendable {
        var image: PlannedImage.ID
        var mediaType: String
        var size: Int
        var choice: ContentChoice

        func needs(_ mirror: any WarmMirror) async -> Result<ImageNeeds, MirrorError> {
            let root = Descriptor(mediaType: mediaType, digest: image.digest, size: size)
            do throws(MirrorError) {
                return .success(try await ImageWalk.needs(of: root, in: image.repository, choice, mirror))
            } catch {
                return .failure(error)
            }
        }
    }

    private(set) var plan: PrewarmPlan
    private let options: PrewarmOptions
    private var images: [PlannedImage.ID: PlannedImage] = [:]
    /// The choices of the mappings, by image.
    private var choices: [PlannedImage.ID: ContentChoice] = [:]
    /// The earliest place that an image has among its mappings' tags: what each wants most comes first.
    private var places: [PlannedImage.ID: Place] = [:]

    private struct Place: Comparable {
        var rank: Int
        var mapping: Int

        static func < (left: Self, right: Self) -> Bool { (left.rank, left.mapping) < (right.rank, right.mapping) }
    }

    init(
        _ mappings: [PlannedMapping],
        _ options: PrewarmOptions,
        _ answers: [TagQuestion: Result<WarmTag, MirrorError>]
    ) {
        plan = PrewarmPlan(mappings: mappings)
        self.options = options
        for index in plan.mappings.indices where plan.mappings[index].failure == nil {
            plan.warnings += plan.mappings[index].warnings(options)
            for (rank, text) in plan.mappings[index].selection.kept.enumerated() {
                var tag = PlannedTag(tag: text)
                if let question = TagQuestion(text, in: plan.mappings[index]), let answer = answers[question] {
                    note(answer, &tag, plan.mappings[index], at: Place(rank: rank, mapping: index))
                } else {
                    tag.problem = "\"\(text)\" is not a tag"
                }
                plan.mappings[index].tags.append(tag)
            }
        }
    }

    private mutating func note(
        _ answer: Result<WarmTag, MirrorError>,
        _ tag: inout PlannedTag,
        _ planned: PlannedMapping,
        at place: Place
    ) {
        switch answer {
        case .failure(let error): tag.problem = error.explanation(of: "the tag")
        case .success(let found):
            guard let repository = planned.repository else { return }
            let id = PlannedImage.ID(repository: repository, digest: found.digest)
            tag.digest = found.digest
            tag.image = id
            add(found, id, tag.tag, planned, at: place)
        }
    }

    private mutating func add(
        _ found: WarmTag,
        _ id: PlannedImage.ID,
        _ tag: String,
        _ planned: PlannedMapping,
        at place: Place
    ) {
        let choice = planned.choice(options)
        var image =
            images[id]
            ?? PlannedImage(
                id: id,
                mediaType: found.mediaType,
                size: found.size,
                tags: [],
                demand: 0,
                platforms: choice.platforms,
                artifacts: [],
                isCached: false,
                price: Price()
            )
        image.demand += 1
        if !image.tags.contains(tag) { image.tags.append(tag) }
        let artifacts = planned.mapping.artifacts
        if artifacts.isEnabled, !image.artifacts.contains(artifacts) { image.artifacts.append(artifacts) }
        image.platforms = Self.union(image.platforms, choice.platforms)
        images[id] = image
        places[id] = min(places[id] ?? place, place)
    }

    private static func union(_ left: [PlatformFilter]?, _ right: [PlatformFilter]?) -> [PlatformFilter]? {
        guard let left, let right else { return nil }
        return left + right.filter { !left.contains($0) }
    }

    // MARK: - Prices

    /// What has to be looked at: each image as each mapping wants it, and as all of them do together.
    var walks: [Walk] {
        var walks: Set<Walk> = []
        for mapping in plan.mappings {
            for tag in mapping.tags {
                if let walk = walk(tag, mapping) { walks.insert(walk) }
            }
        }
        for image in images.values { walks.insert(walk(image)) }
        return Array(walks)
    }

    private func walk(_ tag: PlannedTag, _ planned: PlannedMapping) -> Walk? {
        guard let id = tag.image, let image = images[id] else { return nil }
        return Walk(image: id, mediaType: image.mediaType, size: image.size, choice: planned.choice(options))
    }

    private func walk(_ image: PlannedImage) -> Walk {
        Walk(image: image.id, mediaType: image.mediaType, size: image.size, choice: image.choice)
    }

    mutating func finish(_ needs: [Walk: Result<ImageNeeds, MirrorError>]) {
        var counter = PriceCounter()
        for index in plan.mappings.indices {
            for place in plan.mappings[index].tags.indices {
                let tag = plan.mappings[index].tags[place]
                guard let walk = walk(tag, plan.mappings[index]), let need = needs[walk] else { continue }
                plan.mappings[index].tags[place].settle(need, &counter)
            }
        }
        plan.price = counter.total
        for (id, image) in images {
            // One that could not be looked at is tried all the same.
            guard case .success(let need) = needs[walk(image)] else { continue }
            images[id]?.isCached = need.isEmpty
            images[id]?.price = PriceCounter.price(of: need)
        }
        plan.images = images.values.sorted { isBefore($0, $1, needs) }
    }

    /// The order of the work: what is nearly there, what most lead to, what each mapping wants most; then the file's.
    ///
    /// So a run that ends early leaves few images half done, and has done those that are of most use.
    private func isBefore(
        _ left: PlannedImage,
        _ right: PlannedImage,
        _ needs: [Walk: Result<ImageNeeds, MirrorError>]
    ) -> Bool {
        if left.isCached != right.isCached { return right.isCached }
        let (leftBegun, rightBegun) = (left.price.manifestReads == 0, right.price.manifestReads == 0)
        if leftBegun != rightBegun { return leftBegun }
        if left.demand != right.demand { return left.demand > right.demand }
        guard let leftPlace = places[left.id], let rightPlace = places[right.id], leftPlace != rightPlace else {
            return left.digest.hex < right.digest.hex
        }
        return leftPlace < rightPlace
    }
}

extension PlannedTag {
    fileprivate mutating func settle(_ need: Result<ImageNeeds, MirrorError>, _ counter: inout PriceCounter) {
        switch need {
        case .failure(let error): problem = error.explanation(of: "the image")
        case .success(let need):
            problem = need.problem
            guard problem == nil else { return }
            isCached = need.isEmpty
            price = counter.add(need)
        }
    }
}

extension PlannedImage {
    /// What is fetched of it, for all that lead to it.
    var choice: ContentChoice { ContentChoice(platforms: platforms, hasAttestations: !artifacts.isEmpty) }
}
