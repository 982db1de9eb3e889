import pytest

from robustseg.configuration.allowed_names import check_run_id, check_visible
from robustseg.configuration.buildable import check_targets
from robustseg.configuration.checks import resolve
from robustseg.errors import ConfigError


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("noise.alpha=1.5", r"noise\.alpha=1\.5 is out of range: it must be a number from 0 to 1$"),
        ("noise.alpha=-0.1", r"noise\.alpha=-0\.1"),
        ("noise.beta=0", r"noise\.beta=0"),
        ("seed=-1", r"seed=-1 .* whole number"),
        ("dataset.batch_size=0", r"dataset\.batch_size=0"),
        ("trainer.max_epochs=0", r"trainer\.max_epochs=0"),
        (["trainer.max_steps=10", "trainer.steps_per_epoch=3"], r"steps_per_epoch=3.*divide"),
        (["trainer.max_steps=10007"], r"max_steps=10007 does not divide .*max_steps=10000"),
        (["trainer.steps_per_epoch=5"], r"steps_per_epoch=5 is for trainer\.max_steps"),
        ("noise.alpha=abc", r"noise\.alpha=abc must be a number from 0 to 1$"),
        ("noise.alpha=null", r"noise\.alpha=None must be a number from 0 to 1$"),
        ("noise.alpha=[0.3,0.5]", r"To train with each: -m noise\.alpha=0\.3,0\.5$"),
        (
            "trainer.precision=fp16",
            r"precision=fp16 must be one of 32-true, bf16-mixed, 16-mixed, or auto$",
        ),
        ("trainer.threads=many", r"threads=many must be a whole number ≥ 1, or auto$"),
        ("trainer.threads=0", r"threads=0 is out of range: .* ≥ 1, or auto$"),
        ("noise.beta=inf", r"noise\.beta=inf"),
        ("trainer.progress=foo", r"trainer\.progress=foo .*lines"),
        ("trainer.channels_last=no", r"trainer\.channels_last=no .*true, false"),
        ("trainer.accelerator=gpuu", r"trainer\.accelerator=gpuu"),
        ("trainer.precision=bf15", r"trainer\.precision=bf15 .*bf16-mixed"),
        ("evaluation.last=0", r"evaluation\.last=0"),
        ("trainer.compile=2", r"trainer\.compile=2 .*true, false, graphs"),
        (["trainer.cuda_graphs=true", "trainer.accelerator=cpu"], r"cuda_graphs=true needs a GPU"),
        (
            ["trainer.cuda_graphs=true", "trainer.compile=graphs", "trainer.accelerator=gpu"],
            r"take it or trainer\.compile=graphs, not both",
        ),
        ("dataset.device=gpu", r"dataset\.device=gpu .*cpu, cuda"),
        (["dataset.device=cuda", "trainer.accelerator=cpu"], r"leave dataset\.device at cpu"),
        (
            ["dataset.device=cuda", "trainer.accelerator=gpu", "augmentation=tloss_code"],
            r"no Sequential \(it has HorizontalFlip, .*dataset\.device=cpu",
        ),
        (["trainer.precision=16-mixed", "trainer.accelerator=cpu"], r"16-mixed needs a GPU"),
        (
            [
                "+optimizer.fused=true",
                "trainer.gradient_clip_val=1",
                "trainer.precision=bf16-mixed",
            ],
            r"fused=true cannot clip",
        ),
        ("minutes=0", r"minutes=0 .*above 0"),
        ("minutes=-1.5", r"minutes=-1\.5 .*above 0"),
        ("minutes=inf", r"minutes=inf .*up to 1000000"),
        ("minutes=nan", r"minutes=nan .*above 0"),
        ("minutes=true", r"minutes=True .*a number"),
        ("minutes=5min", r"minutes=5min .*a number"),
        ("records=path", r"records=path .*records=\[path/to/record\]"),
        ("records=[1]", r"records=\[1\] .*a list of folders"),
        ("trainer.gradient_clip_val=-1", r"gradient_clip_val=-1 .*above 0"),
        (
            "trainer.checkpoint_every=often",
            r"checkpoint_every=often must be a number of seconds ≥ 0$",
        ),
        (["trainer.max_steps=10", "trainer.steps_per_epoch=2.5"], r"steps_per_epoch=2\.5"),
        ("trainer.max_steps=abc", r"max_steps=abc"),
        ("trainer.max_steps=0", r"max_steps=0"),
        ("seed=5000000000", r"seed=5000000000 .*2\^32"),
        ("+trainer.max_epoch=3", r"'trainer\.max_epoch'; did you mean max_epochs"),
        ("optimizer.lr=1e-3x", r"^optimizer\.lr=1e-3x must be a number above 0$"),
        ("optimizer.lr=abc", r"^optimizer\.lr=abc must be a number above 0$"),
        ("optimizer.lr=null", r"^optimizer\.lr=None must be a number above 0$"),
        ("optimizer.lr=-1", r"^optimizer\.lr=-1 .*must be a number above 0$"),
        ("optimizer.lr=0", r"^optimizer\.lr=0 .*must be a number above 0$"),
        ("paths.runs=", r"^paths\.runs is empty: name a folder"),
        ("paths.logs=", r"^paths\.logs is empty: name a folder"),
        ("~loss.name", r"^loss has no name: add name: to the file of loss="),
        ("+sed=1", r"'sed'; did you mean seed"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(tiny, override, said):
    with pytest.raises(ConfigError, match=said):
        resolve(tiny(*([override] if isinstance(override, str) else override)))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["loss=gce", "+loss.qq=1"], r"GCELoss takes no 'qq'.*did you mean q"),
        (["+loss.qq=1"], r"TLoss takes no 'qq'.*there are: .*log_nu"),
        (["+optimizer.beta=1"], r"Adam takes no 'beta'.*did you mean betas"),
        (["model=smp", "+model.features=[4,8]"], r"no 'features'.*there are: .*~model\.features"),
        (["model=smp", "+model.encoder_dept=3"], r"no 'encoder_dept'.*did you mean encoder_depth"),
        (["model=smp", "model.arch=fpn", "+model.decoder_channels=[8]"], r"no 'decoder_channels'"),
        (["model=unet_resnet34", "+model.features=[4,8]"], r"Unet takes no 'features'"),
        (
            ["model=smp", "model.encoder_name=resnet-18"],
            r"no model\.encoder_name=.*mean resnet18\?",
        ),
        (["model=smp", "model.encoder_name=zzzz"], r"no model\.encoder_name=zzzz; the docu"),
        (["model=smp", "model.arch=unnet"], r"no model\.arch=unnet; did you mean unet\?"),
        (["model=unet_resnet34", "model.encoder_name=resnet"], r"did you mean resnet"),
        (["model=smp", "+model.activation=sigmoid"], r"model\.activation: losses .* logits"),
        (
            ["model=smp", "model.encoder_name=tu-resnet18", "+model.aux_params={classes: 2}"],
            r"model\.aux_params: losses .* logits",
        ),
        (["loss._target_=robustseg.losses.TLos"], r"loss\._target_=robustseg\.losses\.TLos"),
        (["~model.features"], r"needs features"),
        (["scheduler=nu_plateau", "~scheduler.window"], r"NuPlateau needs window"),
    ],
)
def test_an_argument_that_a_target_does_not_take_is_refused(tiny, overrides, said):
    with pytest.raises(ConfigError, match=said):
        check_targets(resolve(tiny(*overrides)))


@pytest.mark.parametrize(
    "overrides",
    [
        ["+model.encoder_depth=3"],
        ["model.arch=FPN", "+model.decoder_pyramid_channels=64"],
        ["model.encoder_name=tu-resnet18", "+model.drop_rate=0.1"],  # timm's own
    ],
)
def test_a_network_may_be_given_what_its_architecture_or_timm_takes(tiny, overrides):
    check_targets(resolve(tiny("model=smp", *overrides)))


def test_a_data_set_of_ones_own_from_before_there_was_a_device_still_works(tiny):
    settings = resolve(tiny("~dataset.device", "~trainer.compile"))
    assert (settings.dataset.device, settings.trainer.compile) == ("cpu", False)


def test_an_optimizer_of_ones_own_need_not_have_a_rate(tiny):
    optimizer = resolve(tiny("~optimizer.lr")).optimizer
    assert "lr" not in optimizer.arguments()
    assert resolve(tiny("optimizer.lr=1")).optimizer.arguments()["lr"] == 1


def test_auto_becomes_what_this_machine_can(tiny):
    trainer = resolve(tiny("trainer.threads=auto")).trainer
    assert trainer.accelerator in ("cpu", "gpu")
    assert trainer.precision in ("32-true", "bf16-mixed")
    assert trainer.channels_last is (trainer.precision == "bf16-mixed")
    assert trainer.threads >= 1


def test_steps_alone_are_cut_into_epochs(tiny):
    trainer = resolve(tiny("trainer.max_steps=1200")).trainer
    assert (trainer.steps_per_epoch, trainer.max_epochs) == (120, 10)
    assert resolve(tiny("trainer.max_steps=7")).trainer.max_epochs == 1


@pytest.mark.parametrize("schedule", ["T_max", "total_iters"])
def test_a_schedule_is_as_long_as_the_run(tiny, schedule):
    name = {"T_max": "cosine", "total_iters": "poly"}[schedule]
    steps = ["trainer.max_steps=60", "trainer.steps_per_epoch=5"]
    assert resolve(tiny(f"scheduler={name}")).scheduler.get(schedule) == 4
    assert resolve(tiny(f"scheduler={name}", *steps)).scheduler.get(schedule) == 12


def test_a_text_that_is_not_shown_is_refused_with_its_setting():
    check_visible({"dataset": {"source": {"image_folders": ["肺 – β\n"]}}, "seed": 0, "x": None})
    said = r"^dataset\.source\.image_folders: 'a\\u200cb' has control characters, .* rename"
    with pytest.raises(ConfigError, match=said):
        check_visible({"dataset": {"source": {"image_folders": ["a\u200cb"]}}})


def test_a_run_id_fits_the_name_of_a_folder():
    check_run_id("肺" * 76)
    with pytest.raises(ConfigError, match="has 231 bytes, more than 230"):
        check_run_id("肺" * 77)
