//! The flow of pictures: there and back, what is left of them, and what is refused.

use super::*;

fn exact() -> FlowSpec {
    FlowSpec { growth: 0, ..preset("tiny") }
}

#[test]
fn presets_have_the_numbers_of_their_names() {
    for (name, modules, growth, parameters) in [
        ("45-6", 45, 6, 9_906_978),
        ("74-10", 74, 10, 37_161_846),
        ("small", 12, 4, 460_532),
        ("tiny", 5, 2, 21_372),
    ] {
        let spec = preset(name);
        assert_eq!(spec.blocks.iter().map(|b| b.units * b.modules).sum::<usize>(), modules, "{name}");
        assert_eq!(spec.growth, growth, "{name}");
        let flow = Flow::new(spec, 0, Device::Cpu).unwrap();
        assert_eq!(flow.parameters().count(), parameters, "{name}");
    }
    let error = FlowSpec::preset("45-7").unwrap_err().to_string();
    assert_eq!(error, "there is no flow 45-7: there are 45-6, 74-10, small, tiny");
}

#[test]
fn a_spec_is_said_in_a_line_and_checked() {
    let identity = preset("45-6").identity();
    assert_eq!(identity, "flow blocks=5x3,3x5,1x15 growth=6 hidden=64 layers=3");
    let tiny = preset("tiny");
    let one = BlockSpec { units: 1, modules: 2 };
    let others = [
        FlowSpec { blocks: [tiny.blocks[0], one, tiny.blocks[2]], ..tiny.clone() },
        FlowSpec { growth: 3, ..tiny.clone() },
        FlowSpec { hidden: 9, ..tiny.clone() },
        FlowSpec { layers: 2, ..tiny.clone() },
    ];
    for other in others {
        other.check().unwrap();
        assert_ne!(other.identity(), tiny.identity());
    }
    let error = Flow::new(FlowSpec { hidden: 0, ..tiny }, 0, Device::Cpu).unwrap_err().to_string();
    assert_eq!(error, "a flow of hidden 0: it has to be from 1 to 1024");
}

#[test]
fn numbers_at_the_start_are_a_function_of_seed_and_name() {
    let of = |seed| Flow::new(preset("tiny"), seed, Device::Cpu).unwrap();
    let [a, same, other] = [of(1), of(1), of(2)];
    let mut differ = 0;
    for (name, parameter) in a.parameters().iter() {
        let numbers = bits(&parameter.tensor);
        assert_eq!(numbers, bits(same.parameters().tensor(name).unwrap()), "{name}");
        differ += usize::from(numbers != bits(other.parameters().tensor(name).unwrap()));
    }
    assert!(differ > 20, "{differ}");
    assert!(a.parameters().get("generator.block0.unit1.module0.norm.log_scale").is_some());
}

/// Errors are of pictures as the flow sees them, −½ to ½: 1e-4 is a fortieth of an 8-bit step.
#[test]
fn pictures_come_back() {
    for (name, flow) in [("tiny", ready(preset("tiny"))), ("small", fitted(preset("small")))] {
        let _no_grad = tch::no_grad_guard();
        for (height, width) in [(8, 8), (16, 24), (40, 8), (24, 16)] {
            let x = pictures(2, height, width);
            let encoded = flow.encode(&x, &mut Noise::seeded(3)).unwrap();
            let again = flow.decode(&encoded.latents).unwrap();
            let error = largest(&(again - &x)) / 256.0;
            assert!(error <= 1e-4, "{name} {height}x{width}: {error}");
            let sizes: usize = encoded.latents.iter().chain(&encoded.noises).map(Tensor::numel).sum();
            let drawn: usize = encoded.noises.iter().map(Tensor::numel).sum();
            assert_eq!(sizes, x.numel() + 2 * drawn, "no dimension is lost");
        }
    }
}

#[test]
fn the_volume_without_noise_is_the_jacobians() {
    let flow = ready(exact());
    let x = pictures(1, 8, 8).to_kind(Kind::Double).set_requires_grad(true);
    let Encoded { latents, noises, log_likelihood } = flow.encode(&x, &mut Noise::seeded(1)).unwrap();
    assert!(noises.is_empty());
    assert_eq!(log_likelihood.noise.double_value(&[0]), 0.0);
    let flat: Vec<Tensor> = latents.iter().map(|z| z.flatten(0, -1)).collect();
    let found = log_det(&[x], &Tensor::cat(&flat, 0));
    let said = log_likelihood.volume.double_value(&[0]) + log_likelihood.scale;
    assert!((said - found).abs() < 1e-7, "{said} {found}");
}

/// Picture and noise together go through a map that has an inverse: its ln |det| is the volume and Σ ln σ.
#[test]
fn the_volume_with_noise_is_the_jacobians_of_both() {
    let flow = ready(preset("tiny"));
    let x = pictures(1, 8, 8).to_kind(Kind::Double).set_requires_grad(true);
    let first = flow.encode(&x, &mut Noise::seeded(1)).unwrap();
    let noises: Vec<Tensor> = first.noises.iter().map(|e| e.detach().set_requires_grad(true)).collect();
    let mut given = Noise::given(noises.iter().map(Tensor::shallow_clone));
    let Encoded { latents, log_likelihood, .. } = flow.encode(&x, &mut given).unwrap();
    let total = |l: &LogLikelihood| l.total().unwrap().double_value(&[0]);
    assert_eq!(total(&first.log_likelihood), total(&log_likelihood), "given noise is the noise drawn");

    let flat: Vec<Tensor> = latents.iter().map(|z| z.flatten(0, -1)).collect();
    let mut inputs = vec![x];
    inputs.extend(noises.iter().map(Tensor::shallow_clone));
    let found = log_det(&inputs, &Tensor::cat(&flat, 0));
    let log_density_of_noise: f64 = noises
        .iter()
        .map(|e| {
            let squares = e.square().sum(Kind::Double).double_value(&[]);
            -0.5 * squares - 0.5 * e.numel() as f64 * std::f64::consts::TAU.ln()
        })
        .sum();
    let sigmas = log_likelihood.noise.double_value(&[0]) + log_density_of_noise;
    assert!(sigmas.abs() > 1e-3, "{sigmas} says nothing");
    let said = log_likelihood.volume.double_value(&[0]) + log_likelihood.scale + sigmas;
    assert!((said - found).abs() < 1e-7, "{said} {found}");
    let error = flow.encode(&inputs[0], &mut given).unwrap_err().to_string();
    assert!(error.starts_with("the noise given is used up"), "{error}");
}

/// Without noise and with nothing learnt, the density is that of normal numbers of the data's scale.
#[test]
fn bits_are_of_eight_bit_colours() {
    let flow = Flow::new(exact(), 7, Device::Cpu).unwrap();
    let e = Tensor::from_slice(&normals(&mut generator(1, "noise"), 4 * 3 * 32 * 32, 20.0));
    let x = e.view([4, 3, 32, 32]) + 128.0;
    flow.initialise(&x, &mut Noise::seeded(1)).unwrap();
    let log_likelihood = tch::no_grad(|| flow.log_likelihood(&x, &mut Noise::seeded(1))).unwrap();
    assert_eq!(log_likelihood.size(), [4]);
    let found = bits_per_dimension(&log_likelihood, 3 * 32 * 32).unwrap().mean(Kind::Double);
    // log2(σ·√(2πe)); channel by channel, the deviations of this batch are a little off 20.
    let expected = (20.0 * (std::f64::consts::TAU * std::f64::consts::E).sqrt()).log2();
    assert!((found.double_value(&[]) - expected).abs() < 0.05, "{found:?} {expected}");
}

#[test]
fn every_normalisation_is_initialised_by_what_reaches_it() {
    let flow = Flow::new(preset("tiny"), 7, Device::Cpu).unwrap();
    let x = pictures(4, 16, 16);
    assert!(!flow.is_initialised().unwrap());
    let mut noise = Noise::seeded(1);
    let refused = |error: FlowError| {
        let said = error.to_string();
        assert!(said.starts_with("this flow was not initialised"), "{said}");
    };
    refused(flow.encode(&x, &mut noise).unwrap_err());
    refused(flow.sample(1, 8, 8, &mut noise).unwrap_err());
    refused(flow.decode(&[]).unwrap_err());

    flow.initialise(&x, &mut Noise::seeded(2)).unwrap();
    assert!(flow.is_initialised().unwrap());
    // The last normalisation gives variance 1 in each channel, and a rotation keeps their sum.
    let encoded = flow.encode(&x, &mut Noise::seeded(2)).unwrap();
    let square = encoded.latents[2].square().mean(Kind::Double).double_value(&[]);
    assert!((square - 1.0).abs() < 1e-3, "{square}");
    let error = flow.initialise(&x, &mut Noise::seeded(2)).unwrap_err().to_string();
    assert!(error.starts_with("this flow is initialised already"), "{error}");
}

#[test]
fn a_first_batch_has_to_be_one() {
    let flow = Flow::new(preset("tiny"), 7, Device::Cpu).unwrap();
    let says = |x: &Tensor, start: &str| {
        let error = flow.initialise(x, &mut Noise::seeded(2)).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error}");
        assert!(!flow.is_initialised().unwrap());
    };
    says(&pictures(1, 16, 24), "the last block gets 6 values per channel");
    says(&(pictures(2, 16, 16) / 0.0), "the pictures hold numbers that are not finite");
}

#[test]
fn samples_have_any_size_that_eight_divides_and_are_the_sources_alone() {
    let _no_grad = tch::no_grad_guard();
    let flow = ready(preset("tiny"));
    for (height, width) in [(8, 8), (8, 40), (32, 16)] {
        let x = flow.sample(2, height, width, &mut Noise::seeded(4)).unwrap();
        assert_eq!((x.size(), x.kind()), (vec![2, 3, height, width], Kind::Float));
        assert_eq!(x.isfinite().all().int64_value(&[]), 1);
        assert_eq!(bits(&x), bits(&flow.sample(2, height, width, &mut Noise::seeded(4)).unwrap()));
        assert_ne!(bits(&x), bits(&flow.sample(2, height, width, &mut Noise::seeded(5)).unwrap()));
    }
    let mean = flow.sample(8, 32, 32, &mut Noise::seeded(4)).unwrap().mean(Kind::Double).double_value(&[]);
    assert!((0.0..256.0).contains(&mean), "{mean}");
    assert!(flow.sample(0, 8, 8, &mut Noise::seeded(4)).is_err());
}

#[test]
fn what_does_not_fit_is_refused_with_both_sides() {
    let flow = ready(preset("tiny"));
    let mut noise = Noise::seeded(1);
    let mut says = |x: &Tensor, expected: &str| {
        assert_eq!(flow.encode(x, &mut noise).unwrap_err().to_string(), expected);
    };
    let odd = "a picture 12 high and 16 wide: a flow halves both sides three times, so they have to be \
               multiples of 8, such as 16 and 16";
    says(&Tensor::zeros([1, 3, 12, 16], (Kind::Float, Device::Cpu)), odd);
    says(
        &Tensor::zeros([1, 4, 8, 8], (Kind::Float, Device::Cpu)),
        "pictures are [1, 4, 8, 8]: they have to be [N,3,H,W], colours from 0 to 256",
    );
    says(
        &Tensor::zeros([1, 3, 8, 8], (Kind::Uint8, Device::Cpu)),
        "pictures are Uint8: a flow computes in f32, or in f64 where every digit counts",
    );
    assert_eq!(flow.sample(1, 12, 16, &mut noise).unwrap_err().to_string(), odd);

    let mut latents = flow.encode(&pictures(1, 8, 16), &mut noise).unwrap().latents;
    let other = flow.encode(&pictures(1, 16, 16), &mut noise).unwrap().latents;
    let error = flow.decode(&latents[..2]).unwrap_err().to_string();
    assert_eq!(error, "2 latents for a flow that has 3: one for each block");
    latents[0] = other[0].shallow_clone();
    let error = flow.decode(&latents).unwrap_err().to_string();
    assert_eq!(
        error,
        "latents are [1, 7, 8, 8]: they have to be [1, 7, 4, 8] in block 0, beside the last of [1, 60, 1, 2]"
    );
}

#[test]
fn a_flow_is_its_parameters() {
    let _no_grad = tch::no_grad_guard();
    let a = ready(preset("tiny"));
    let b = Flow::new(preset("tiny"), 99, Device::Cpu).unwrap();
    b.parameters().load(&a.parameters().named_tensors()).unwrap();
    let x = pictures(2, 8, 16);
    let of = |flow: &Flow| bits(&flow.log_likelihood(&x, &mut Noise::seeded(1)).unwrap());
    assert_eq!(of(&a), of(&b));
    let other = Flow::new(preset("small"), 1, Device::Cpu).unwrap();
    assert!(other.parameters().load(&a.parameters().named_tensors()).is_err());
}

#[test]
fn dequantised_colours_stay_within_their_step() {
    let colours = Tensor::from_slice(&(0..=255).collect::<Vec<u8>>()).repeat([20]).view([5, 1, 32, 32]);
    let x = dequantise(&colours, &mut Noise::seeded(1)).unwrap();
    let u = &x - colours.to_kind(Kind::Float);
    assert_eq!((x.size(), x.kind()), (vec![5, 1, 32, 32], Kind::Float));
    assert!(u.min().double_value(&[]) >= 0.0 && u.max().double_value(&[]) <= 1.0);
    // 5120 draws of deviation 0.29.
    assert!((u.mean(Kind::Double).double_value(&[]) - 0.5).abs() < 0.02);
}
